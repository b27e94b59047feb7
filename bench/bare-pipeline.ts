/**
 * The yardstick: the least that a replicated store on this stack can do. One process is one node; three of
 * them keep every key. Run as `node bare-pipeline.js ID FOLDER SYNC OWN_PORT PEER_PORT PEER_PORT`.
 *
 *     put   append to the open batch and send to both peers at once; answer when 2 of 3 have it on disk
 *     get   read here and ask one peer (in turn); answer when it has answered
 *
 * It makes the same copies over the same ws, msgpackr and LevelDB with the same group commit and the same
 * frames per tick as Trefoil. It has no versions, merge, checksums, retries, deadlines, hints, repair,
 * admission or map: a lost message is a request that never ends. It is not a datastore, and what it does
 * faster is the price of one.
 */
import { ClassicLevel, type ChainedBatch } from 'classic-level';
import { WebSocketServer } from 'ws';
import { BARE, BareLink, dialBare, WEBSOCKET_OPTIONS, type BareMessage } from './bare-link.js';

const DIAL_ATTEMPTS = 200;
const DIAL_PAUSE_MS = 50;

type Store = ClassicLevel<string, Uint8Array>;

/** As `src/adapters/level-storage.ts` sets them, so that no tuning of LevelDB is compared. */
const LEVEL_OPTIONS = {
  keyEncoding: 'utf8',
  valueEncoding: 'view',
  writeBufferSize: 16 * 1024 * 1024,
  cacheSize: 32 * 1024 * 1024,
  blockSize: 4 * 1024,
  compression: true,
} as const;

/** Group commit: everything put while one batch is written goes into the next. */
class GroupCommit {
  readonly #store: Store;
  readonly #sync: boolean;
  #open: ChainedBatch<Store, string, Uint8Array> | undefined;
  #released: (() => void)[] = [];
  #writing = false;
  #flushAsked = false;

  constructor(store: Store, sync: boolean) {
    this.#store = store;
    this.#sync = sync;
  }

  put(key: string, value: Uint8Array, whenDurable: () => void): void {
    this.#open ??= this.#store.batch();
    this.#open.put(key, value);
    this.#released.push(whenDurable);
    if (this.#flushAsked || this.#writing) return;
    this.#flushAsked = true;
    setImmediate(() => {
      this.#flushAsked = false;
      this.#flush();
    });
  }

  #flush(): void {
    const batch = this.#open;
    if (batch === undefined || this.#writing) return;
    const released = this.#released;
    this.#open = undefined;
    this.#released = [];
    this.#writing = true;
    batch.write({ sync: this.#sync }).then(
      () => {
        this.#writing = false;
        for (const release of released) release();
        this.#flush();
      },
      // A yardstick that lost a write must not go on.
      (error: unknown) => {
        process.stderr.write(`the store failed: ${String(error)}\n`);
        process.exit(1);
      },
    );
  }
}

/** A question to peers that waits for its answers. */
type Pending = () => void;

class BareNode {
  readonly #store: Store;
  readonly #commit: GroupCommit;
  readonly #pending = new Map<number, Pending>();
  #peers: readonly BareLink[] = [];
  #nextId = 1;
  #turn = 0;

  constructor(store: Store, sync: boolean) {
    this.#store = store;
    this.#commit = new GroupCommit(store, sync);
  }

  usePeers(peers: readonly BareLink[]): void {
    this.#peers = peers;
  }

  readonly onMessage = ([kind, id, first, second]: BareMessage, link: BareLink): void => {
    switch (kind) {
      case BARE.PUT:
        return this.#put(id, first as string, second as Uint8Array, link);
      case BARE.GET:
        return this.#get(id, first as string, link);
      case BARE.STORE:
        return this.#commit.put(first as string, second as Uint8Array, () => link.post([BARE.DONE, id]));
      case BARE.FETCH:
        return link.post([BARE.VALUE, id, this.#read(first as string)]);
      case BARE.DONE:
      case BARE.VALUE:
        this.#pending.get(id)?.();
        return;
    }
  };

  #put(id: number, key: string, value: Uint8Array, client: BareLink): void {
    const question = this.#nextId++;
    let durable = 0;
    let answered = 0;
    const count = (): void => {
      if (++durable === 2) client.post([BARE.DONE, id]);
    };
    this.#pending.set(question, () => {
      if (++answered === this.#peers.length) this.#pending.delete(question);
      count();
    });
    for (const peer of this.#peers) peer.post([BARE.STORE, question, key, value]);
    this.#commit.put(key, value, count);
  }

  #get(id: number, key: string, client: BareLink): void {
    const question = this.#nextId++;
    const local = this.#read(key);
    this.#pending.set(question, () => {
      this.#pending.delete(question);
      client.post([BARE.VALUE, id, local]);
    });
    this.#peers[this.#turn++ % this.#peers.length]?.post([BARE.FETCH, question, key]);
  }

  #read(key: string): Uint8Array | null {
    return this.#store.getSync(key) ?? null;
  }
}

async function dialPeer(port: number, node: BareNode): Promise<BareLink> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await dialBare(port, node.onMessage);
    } catch (error) {
      if (attempt === DIAL_ATTEMPTS) throw error;
      await new Promise((resolve) => setTimeout(resolve, DIAL_PAUSE_MS));
    }
  }
}

async function main([id, folder, sync, ...portTexts]: readonly string[]): Promise<void> {
  const [port, ...peerPorts] = portTexts.map(Number);
  const store: Store = new ClassicLevel(folder ?? '', LEVEL_OPTIONS);
  await store.open();
  const node = new BareNode(store, sync === 'sync');
  const server = new WebSocketServer({ host: '127.0.0.1', port: port ?? 0, ...WEBSOCKET_OPTIONS });
  server.on('connection', (socket) => new BareLink(socket, node.onMessage));
  node.usePeers(await Promise.all(peerPorts.map((peer) => dialPeer(peer, node))));
  process.stdout.write(`ready ${id ?? ''} 127.0.0.1:${port ?? 0}\n`);

  const stop = (): void => void store.close().finally(() => process.exit(0));
  process.once('SIGTERM', stop);
  process.stdin.once('end', stop).resume();
}

await main(process.argv.slice(2));
