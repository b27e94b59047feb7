/** A scripted world whose one namespace has leaders, with a client that is connected to every node. */
import type { Database, Namespace } from '../../src/client/api.js';
import type { ClientOperation } from '../../src/protocol/messages.js';
import { ledMap, LedStore } from './led-store.js';
import { keyFor, scriptedWorld, type ScriptedWorld } from './scripted-world.js';

export const NODES = [1, 2, 3];

type OperationOf<T extends ClientOperation['type']> = Extract<ClientOperation, { readonly type: T }>;

export class LedWorld {
  readonly world: ScriptedWorld;
  readonly store: LedStore;
  readonly db: Database;
  readonly photos: Namespace<number>;

  private constructor(world: ScriptedWorld, store: LedStore, db: Database) {
    this.world = world;
    this.store = store;
    this.db = db;
    this.photos = db.namespace<number>('photos');
  }

  static async start(map = ledMap()): Promise<LedWorld> {
    const store = new LedStore(map);
    const world = await scriptedWorld(map, 1, store);
    const led = new LedWorld(world, store, await world.connect());
    await world.settle(Promise.all(NODES.map((n) => led.photos.get(keyFor(n)))));
    await world.simulation.runFor(50);
    led.forget();
    return led;
  }

  /** What was asked so far is no longer told. */
  forget(): void {
    for (const n of NODES) this.world.node(n).requests.length = 0;
  }

  /** What nodes were asked, as `n1 put`. */
  asked(): string[] {
    return NODES.flatMap((n) =>
      this.world.node(n).requests.map(({ operation }) => `n${n} ${operation.type}`),
    );
  }

  operations<T extends ClientOperation['type']>(type: T): OperationOf<T>[] {
    return NODES.flatMap((n) =>
      this.world
        .node(n)
        .requests.flatMap(({ operation }) => (operation.type === type ? [operation as OperationOf<T>] : [])),
    );
  }
}
