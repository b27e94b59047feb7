/**
 * Act: a namespace loses its leader. While prints are ordered, the node that leads is killed with SIGKILL, the others elect one of
 * them, and in the end every acknowledged order is read back.
 *
 *     orders   ──yes──yes──yes──┐<──── silence ────>┌──yes──yes──yes──
 *     leader   n1, term 3       SIGKILL              n2, term 4
 *
 * Who leads and in which term is what the nodes' status says; the silence is what the writers saw, retries of the SDK included, up to the
 * first order that is acknowledged by another node, as its explanation says.
 */
import { bytesCodec } from '../../client/codec.js';
import { formatDuration } from '../duration.js';
import { explanationLines } from '../explanation-text.js';
import { groupGauges, leaderOf, readNodeStates, type Leader, type NodeState } from '../node-states.js';
import { counted, formatCount } from '../table.js';
import { verifyReplicas, type CopyReader } from '../verify-replicas.js';
import { DEMO_NODES, LED_NAMESPACE, type DemoNode } from './demo-cluster.js';
import { waitFor, type Stage } from './demo-stage.js';
import { OrderDesk, orderKey, type Order } from './order-desk.js';
import type { StoredAlbum } from './store-act.js';

export interface FailOver {
  readonly leader: string;
  readonly term: number;
  readonly successor: string;
  readonly successorTerm: number;
  /** From the last order that was acknowledged before the election to the first one after it. */
  readonly silenceMs: number;
  readonly acknowledged: number;
  /** How many of them linearizable reads show, with what was ordered. */
  readonly readBack: number;
}

const GROUP = `${LED_NAMESPACE}/0`;
/** So many orders are acknowledged before the leader dies, and again before it comes back. */
const ORDERS_EACH = 200;

export async function killTheLeader(stage: Stage, album: StoredAlbum): Promise<FailOver> {
  const { narrator, cluster, db } = stage;
  narrator.act('Orders for prints go through one leader, and it is killed');
  await waitFor('three level replicas', async () => isLevel(await readNodeStates(db)));
  const desk = new OrderDesk(db.namespace<Order>(LED_NAMESPACE), album.photoIds);
  const working = desk.work();
  try {
    await waitFor('orders', async () => desk.acknowledged >= ORDERS_EACH);
    await explainOrder(stage);
    const old = await waitFor('a leader', async () => leaderOf(await readNodeStates(db), GROUP));
    narrator.figure('orders acknowledged', desk.acknowledged);
    narrator.say(`SIGKILL for ${old.node}, which leads in term ${old.term}`);
    const killedMs = performance.now();
    await cluster.killNode(old.node as DemoNode);
    const { successor, silenceMs } = await watchElection(stage, desk, old, killedMs);
    const without = (): number => desk.acknowledgedWithout(old.node, killedMs).length;
    await waitFor('orders', async () => without() >= ORDERS_EACH);
    narrator.figure('time without an acknowledged order', `${formatCount(silenceMs)} ms`);
    narrator.figure(`orders acknowledged without ${old.node}`, without());
    const startedMs = performance.now();
    await cluster.startNode(old.node as DemoNode);
    narrator.figure(`${old.node} serves again after`, formatDuration(performance.now() - startedMs));
    desk.close();
    await working;
    await waitFor('three level replicas', async () => isLevel(await readNodeStates(db)));
    narrator.figure('has what it missed after', formatDuration(performance.now() - startedMs));
    const readBack = await readOrders(stage, desk);
    return {
      leader: old.node,
      term: old.term,
      successor: successor.node,
      successorTerm: successor.term,
      silenceMs,
      acknowledged: desk.acknowledged,
      readBack,
    };
  } finally {
    desk.close();
    await working;
  }
}

/** Whether there is a leader, and all replicas count and have applied the same. */
function isLevel(states: readonly NodeState[]): boolean {
  const replicas = states.map((state) => groupGauges(state, GROUP));
  return (
    leaderOf(states, GROUP) !== undefined &&
    replicas.every(
      (gauges) => gauges?.['refilling'] === 0 && gauges['appliedIndex'] === replicas[0]?.['appliedIndex'],
    )
  );
}

/** How a linearizable read of an order came about: who leads, and who has confirmed it. */
async function explainOrder({ narrator, db }: Stage): Promise<void> {
  narrator.say('two nodes have each on disk before it is acknowledged; a read of one explains itself:');
  const { explain } = await db.namespace<Order>(LED_NAMESPACE).get(orderKey(1), { explain: true });
  if (explain !== undefined) explanationLines(explain).forEach((line) => narrator.say(`  ${line}`));
}

/** Tells the election, by the time since the kill. Resolves when an order is acknowledged again. */
async function watchElection(
  { narrator, db }: Stage,
  desk: OrderDesk,
  old: Leader,
  killedMs: number,
): Promise<{ readonly successor: Leader; readonly silenceMs: number }> {
  const tell = (momentMs: number, what: string): void =>
    narrator.say(`  ${formatCount(momentMs - killedMs).padStart(6)} ms  ${what}`);
  const others = DEMO_NODES.filter((id) => id !== old.node);
  tell(performance.now(), `${old.node} is gone; ${counted(desk.underWay, 'order')} without an answer`);
  const successor = await waitFor('another leader', async () => {
    const leader = leaderOf(await readNodeStates(db, others), GROUP);
    return leader !== undefined && leader.term > old.term ? leader : undefined;
  });
  const seenMs = performance.now();
  const { atMs, by, silenceMs } = await waitFor(
    'an order',
    async () => desk.acknowledgedWithout(old.node, killedMs)[0],
  );
  const { node, term } = successor;
  // What was acknowledged before the status told of it shows that there was a leader already.
  tell(Math.min(seenMs, atMs), `${others.join(' and ')} have elected ${node}, which leads in term ${term}`);
  tell(atMs, `${by} acknowledges the first order since`);
  return { successor, silenceMs: Math.round(silenceMs) };
}

/** Reads every acknowledged order, each the latest there is, whichever node leads now. Returns how many are as they were ordered. */
async function readOrders({ narrator, ledger, db }: Stage, desk: OrderDesk): Promise<number> {
  const orders = ledger.entries().filter(({ namespace }) => namespace === LED_NAMESPACE);
  const latest: CopyReader = {
    async get(namespace, key) {
      const bytes = db.namespace(namespace, { codec: bytesCodec });
      const { siblings, context } = await bytes.get(key, { read: 'linearizable' });
      return { values: siblings.map((value) => ({ value })), context: context?.token ?? null };
    },
  };
  const { right, missing } = await verifyReplicas(orders, new Map([['lost', latest]]));
  const { acknowledged, refusals } = desk;
  narrator.figure('orders acknowledged in all', acknowledged);
  narrator.figure(
    'not acknowledged',
    refusals.length === 0 ? 'none' : `${refusals.length} (${[...new Set(refusals)].join(', ')})`,
    refusals.length === 0 ? 'good' : undefined,
  );
  narrator.figure(
    'read back, linearizable',
    `${formatCount(right)} of ${formatCount(acknowledged)}`,
    right === acknowledged ? 'good' : 'bad',
  );
  missing.slice(0, 5).forEach((copy) => narrator.say(copy));
  return right;
}
