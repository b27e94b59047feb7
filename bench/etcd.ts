/**
 * etcd as a subject: three members of a new cluster on free ports of this machine, everything as etcd has it by itself, each write
 * synced on a majority before it is acknowledged and each read linearizable. It is the program that Debian's `etcd-server` installs;
 * where it is not, the experiment goes on without and says so.
 */
import { join } from 'node:path';
import { freePorts } from '../src/cli/free-ports.js';
import { programOnPath, startForeign } from './processes.js';
import { startAll, type Subject } from './subjects.js';

const MEMBERS = 3;

export const etcd: Subject = {
  name: 'etcd',
  description:
    'three members with their defaults, through the npm package etcd3, each call to the member that leads',
  unavailable: () =>
    programOnPath('etcd') === undefined ? 'no program etcd: install etcd-server' : undefined,
  async start({ folder }) {
    const executable = programOnPath('etcd') ?? 'etcd';
    const ports = await freePorts(2 * MEMBERS);
    const clientUrls = ports.slice(0, MEMBERS).map(urlOf);
    const peerUrls = ports.slice(MEMBERS).map(urlOf);
    const cluster = peerUrls.map((url, i) => `m${i + 1}=${url}`).join(',');
    const servers = await startAll(
      clientUrls.map((clientUrl, i) => () => {
        const name = `m${i + 1}`;
        const peerUrl = peerUrls[i] ?? '';
        return startForeign({
          name: `etcd ${name}`,
          executable,
          args: [
            `--name=${name}`,
            `--data-dir=${join(folder, name)}`,
            `--listen-client-urls=${clientUrl}`,
            `--advertise-client-urls=${clientUrl}`,
            `--listen-peer-urls=${peerUrl}`,
            `--initial-advertise-peer-urls=${peerUrl}`,
            `--initial-cluster=${cluster}`,
            '--initial-cluster-state=new',
            '--logger=zap',
            '--log-outputs=stdout',
          ],
          ready: /serving client traffic/,
        });
      }),
    );
    return { servers, target: { type: 'etcd', hosts: clientUrls } };
  },
};

function urlOf(port: number): string {
  return `http://127.0.0.1:${port}`;
}
