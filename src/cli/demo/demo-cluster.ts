/**
 * The demo's cluster: three real node processes over LevelDB in a temporary folder, on free ports.
 * Whatever happens, `dispose` ends the processes and removes the folder.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TrefoilError } from '../../core/errors.js';
import { freePorts } from '../free-ports.js';
import { spawnNode, type NodeProcess } from '../node-process.js';

export const DEMO_CLUSTER = 'trefoil-demo';
export const DEMO_NODES = ['n1', 'n2', 'n3'] as const;
/** The namespace whose one partition has a leader. */
export const LED_NAMESPACE = 'orders';
/** Of a node that ended by itself. */
const LOG_LINES_SHOWN = 3;

export type DemoNode = (typeof DEMO_NODES)[number];

export class DemoCluster {
  readonly folder: string;
  readonly configFile: string;
  readonly seeds: readonly string[];
  readonly #processes = new Map<DemoNode, NodeProcess>();
  /** Starts that were ever made: one may still be under way when all is to end. */
  readonly #starting: Promise<NodeProcess>[] = [];
  /** Those that were told to end. */
  readonly #ending = new Set<NodeProcess>();
  /** Those that ended of themselves. */
  readonly #ended: DemoNode[] = [];

  private constructor(folder: string, ports: readonly number[]) {
    this.folder = folder;
    this.configFile = join(folder, 'demo.yaml');
    this.seeds = ports.map((port) => `127.0.0.1:${port}`);
    writeFileSync(this.configFile, demoConfig(ports));
  }

  /** Makes the folder and the config; starts nothing yet. */
  static async prepare(): Promise<DemoCluster> {
    return new DemoCluster(mkdtempSync(join(tmpdir(), 'trefoil-demo-')), await freePorts(DEMO_NODES.length));
  }

  /** Starts all nodes. Rejects where one cannot start. */
  async start(): Promise<void> {
    await Promise.all(DEMO_NODES.map((id) => this.startNode(id)));
  }

  /** Starts a node that does not run. */
  async startNode(id: DemoNode): Promise<void> {
    const logFile = this.#logFile(id);
    const starting = spawnNode({ configFile: this.configFile, id, logFile, logLevel: 'warn' });
    this.#starting.push(starting);
    const node = await starting;
    this.#processes.set(id, node);
    void node.exited.then(() => {
      if (!this.#ending.has(node)) this.#ended.push(id);
    });
  }

  process(id: DemoNode): NodeProcess {
    const running = this.#processes.get(id);
    if (running === undefined) throw new TrefoilError('Internal', `${id} was not started`);
    return running;
  }

  /** SIGKILL; resolves when the process is gone. */
  async killNode(id: DemoNode): Promise<void> {
    const node = this.process(id);
    this.#ending.add(node);
    await node.kill();
  }

  /** Kills a node and throws its data away. */
  async loseDisk(id: DemoNode): Promise<void> {
    await this.killNode(id);
    rmSync(join(this.folder, id), { recursive: true, force: true });
  }

  /** For each node that ended though nobody asked it to: its name and the last lines of its log. */
  defects(): string[] {
    return this.#ended.map((id) => {
      const lines = readFileSync(this.#logFile(id), 'utf8').trimEnd().split('\n').slice(-LOG_LINES_SHOWN);
      return [`${id} ended by itself; its log ends so:`, ...lines].join('\n  ');
    });
  }

  /** Stops every node in order, so that the folder can be used again. */
  async stop(): Promise<void> {
    await Promise.all(this.#allEnding().map((node) => node.stop()));
  }

  /** Ends every process at once and, unless it is to be kept, removes the folder. */
  async dispose(keep: boolean): Promise<void> {
    await Promise.allSettled(this.#starting);
    await Promise.all(this.#allEnding().map((node) => node.kill()));
    if (!keep) rmSync(this.folder, { recursive: true, force: true });
  }

  /** The same without waiting, for when this program is ending. */
  disposeNow(keep: boolean): void {
    for (const node of this.#allEnding()) node.signal('SIGKILL');
    // The dying processes may still add files: try again.
    if (!keep) rmSync(this.folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
  }

  #allEnding(): NodeProcess[] {
    const all = [...this.#processes.values()];
    for (const node of all) this.#ending.add(node);
    return all;
  }

  #logFile(id: DemoNode): string {
    return join(this.folder, `${id}.log`);
  }
}

/**
 * Three nodes, three replicas, quorums of two, everything synced to disk. Photos and the rest are leaderless, with the guarantees of
 * `local-3.yaml`; orders have a leader, one for all of them, as there is one partition: the strategies live together as in `mixed-3.yaml`.
 */
function demoConfig(ports: readonly number[]): string {
  const nodes = DEMO_NODES.map((id, i) => `  - { id: ${id}, port: ${String(ports[i])}, dataDir: ./${id} }`);
  const leaderless = (name: string, conflict: 'siblings' | 'lww'): string =>
    `  - { name: ${name}, strategy: leaderless, replicas: 3, partitions: 8, read: quorum, write: quorum, ` +
    `conflict: ${conflict}, guarantee: read-your-writes }`;
  return [
    '# Made by trefoil demo.',
    `cluster: ${DEMO_CLUSTER}`,
    'nodes:',
    ...nodes,
    'namespaces:',
    leaderless('photos', 'siblings'),
    leaderless('features', 'lww'),
    leaderless('users', 'lww'),
    leaderless('default', 'siblings'),
    `  - { name: ${LED_NAMESPACE}, strategy: leader-follower, replicas: 3, partitions: 1, ack: quorum, ` +
      'read: linearizable, guarantee: linearizable }',
    '',
  ].join('\n');
}
