/**
 * What the load generator needs of a store, and how it talks to each subject. One client stands for a whole
 * application process: any number of logical clients share its connections, one to each node.
 */
import { crc32 } from 'node:zlib';
import { Etcd3 } from 'etcd3';
import { bytesCodec, connect, type Namespace } from '../src/index.js';
import { BARE, dialBare, type BareLink, type BareMessage } from './bare-link.js';

export interface BenchClient {
  /** Resolves when the subject has acknowledged the write at its durability. */
  put(key: string, value: Uint8Array): Promise<void>;
  /** Undefined where the key is absent. */
  get(key: string): Promise<Uint8Array | undefined>;
  close(): Promise<void>;
}

/** How to reach a subject, as it travels to the process that makes the load. */
export type ClientTarget =
  | { readonly type: 'trefoil'; readonly seeds: readonly string[]; readonly namespace: string }
  | { readonly type: 'bare-pipeline'; readonly ports: readonly number[] }
  /** `http://host:port` of each member. */
  | { readonly type: 'etcd'; readonly hosts: readonly string[] };

export function openClient(target: ClientTarget): Promise<BenchClient> {
  switch (target.type) {
    case 'trefoil':
      return openTrefoil(target.seeds, target.namespace);
    case 'bare-pipeline':
      return openBare(target.ports);
    case 'etcd':
      return openEtcd(target.hosts);
  }
}

async function openTrefoil(seeds: readonly string[], name: string): Promise<BenchClient> {
  const db = await connect({ seeds });
  const namespace: Namespace<Uint8Array> = db.namespace(name, { codec: bytesCodec });
  return {
    async put(key, value) {
      await namespace.put(key, value);
    },
    async get(key) {
      return (await namespace.get(key)).value;
    },
    close: () => db.close(),
  };
}

type Answer = (value: Uint8Array | null | undefined) => void;

async function openBare(ports: readonly number[]): Promise<BenchClient> {
  const open = new Map<number, Answer>();
  const onMessage = ([, id, value]: BareMessage): void => {
    const answer = open.get(id);
    open.delete(id);
    answer?.(value as Uint8Array | null | undefined);
  };
  const links = await Promise.all(ports.map((port) => dialBare(port, onMessage)));
  let nextId = 1;
  // By key, as Trefoil's SDK does, so that each key has one coordinator; evenly.
  const coordinator = (key: string): BareLink => links[crc32(key) % links.length] as BareLink;
  const ask = (
    link: BareLink,
    message: (id: number) => BareMessage,
  ): Promise<Uint8Array | null | undefined> =>
    new Promise((resolve) => {
      const id = nextId++;
      open.set(id, resolve);
      link.post(message(id));
    });
  return {
    async put(key, value) {
      await ask(coordinator(key), (id) => [BARE.PUT, id, key, value]);
    },
    async get(key) {
      return (await ask(coordinator(key), (id) => [BARE.GET, id, key])) ?? undefined;
    },
    async close() {
      for (const link of links) link.close();
    },
  };
}

/** Talks to the member that leads: what the others are asked they would hand on to it. */
async function openEtcd(hosts: readonly string[]): Promise<BenchClient> {
  const client = new Etcd3({ hosts: await etcdLeader(hosts) });
  // Without the builders of the package, which cost more and do nothing for a put and a get.
  const { kv } = client;
  return {
    async put(key, value) {
      await kv.put({
        key: Buffer.from(key),
        value: Buffer.from(value.buffer, value.byteOffset, value.length),
      });
    },
    async get(key) {
      return (await kv.range({ key: Buffer.from(key) })).kvs[0]?.value;
    },
    async close() {
      client.close();
    },
  };
}

const LEADER_ATTEMPTS = 100;
const LEADER_PAUSE_MS = 100;

/** The member that says that it leads itself. */
async function etcdLeader(hosts: readonly string[]): Promise<string> {
  for (let attempt = 0; attempt < LEADER_ATTEMPTS; attempt++) {
    for (const host of hosts) {
      const client = new Etcd3({ hosts: host });
      try {
        const { header, leader } = await client.maintenance.status();
        if (leader !== '0' && leader === header.member_id) return host;
      } finally {
        client.close();
      }
    }
    await new Promise((resolve) => setTimeout(resolve, LEADER_PAUSE_MS));
  }
  throw new Error('no member of etcd leads');
}
