/** Five nodes, one partition with three replicas, and two nodes left to stand in. */
import { replicasOf } from '../../src/cluster/cluster-map.js';
import { standInsOf } from '../../src/cluster/placement.js';
import type { LeaderlessMessage } from '../../src/protocol/leaderless-messages.js';
import { decodeRecord } from '../../src/protocol/record-codec.js';
import { RawClient } from './raw-client.js';
import { SimCluster, type SimClusterOptions } from './sim-cluster.js';

export const FIVE = ['n1', 'n2', 'n3', 'n4', 'n5'];

export interface SloppyRig {
  readonly cluster: SimCluster;
  /** The replicas; the tests coordinate at the first and lose the others. */
  readonly homes: readonly [string, string, string];
  readonly standIns: readonly [string, string];
  /** Connected to the first home. */
  readonly client: RawClient;
  /** What nodes said to nodes, as `from to type`. */
  readonly said: string[];
}

export async function sloppyRig(
  seed: number,
  settings = 'sloppy: true',
  more: Partial<SimClusterOptions> = {},
): Promise<SloppyRig> {
  const said: string[] = [];
  const cluster = await SimCluster.start({
    seed,
    nodes: FIVE,
    ...more,
    namespaces: `\n  - { name: default, strategy: leaderless, partitions: 1, ${settings} }\n`,
    onMessage: (from, to, message) => {
      if (message.type === 'replica') said.push(`${from} ${nameOf(to)} ${message.message.type}`);
    },
  });
  const homes = [...replicasOf(cluster.map, 0, 0)] as unknown as [string, string, string];
  const standIns = [...standInsOf(cluster.map, 0, 0)] as unknown as [string, string];
  return { cluster, homes, standIns, client: await RawClient.open(cluster, homes[0]), said };
}

/** Crashes the second and third home and waits until everybody knows. */
export async function loseTwoHomes({ cluster, homes }: SloppyRig): Promise<void> {
  const away = homes.slice(1);
  for (const home of away) cluster.crash(home);
  for (const name of FIVE) if (!away.includes(name)) await cluster.parted(name, away);
}

export async function bringBack({ cluster }: SloppyRig, ...names: readonly string[]): Promise<void> {
  for (const name of names) await cluster.settle(cluster.boot(name));
}

/** What a stand-in has on disk for a home: the texts of each key, as `key=text`. */
export function heldFor(cluster: SimCluster, standIn: string, home: string): string[] {
  const gte = `g/default/0/s/${home}/`;
  const disk = cluster.world.disk(standIn);
  return disk.keys({ gte, lt: `${gte.slice(0, -1)}0` }).map((place) => {
    const { siblings } = decodeRecord(disk.peek(place) ?? new Uint8Array());
    const texts = siblings.map(({ value }) => (value === null ? 'null' : Buffer.from(value).toString()));
    return `${place.slice(gte.length)}=${texts.sort().join('|')}`;
  });
}

/** All that any stand-in of the rig holds for anyone. */
export function heldAnywhere({ cluster, homes, standIns }: SloppyRig): string[] {
  return standIns.flatMap((standIn) => homes.flatMap((home) => heldFor(cluster, standIn, home)));
}

/** How often nodes said this, whoever they were. */
export function saidOften({ said }: SloppyRig, type: LeaderlessMessage['type']): number {
  return said.filter((line) => line.endsWith(` ${type}`)).length;
}

function nameOf(address: string): string {
  return address.split('.')[0] ?? address;
}
