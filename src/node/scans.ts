/**
 * Scans and views of the replicas: what is read off the turn.
 *
 * Both wait for the newest batch, lazy writes and all, so that they find what the steps before them have written. A scan may find more
 * than that: the open batch goes on gathering until it leaves. A view must not, or what a replica knows of itself when it asks (an applied
 * index, say) would not be what the view holds; so the step that opens one seals the batch behind it.
 */
import { TrefoilError } from '../core/errors.js';
import { SCAN_PAGE_BYTES_MAX } from '../core/limits.js';
import type { ReplicaEvent } from '../replication/strategy.js';
import type { Storage, StorageEntry, StorageRange, StorageView } from '../runtime/runtime.js';
import type { KeptView } from './kept-view.js';
import type { ReplicaSlot } from './replica-slot.js';
import type { WritePipeline } from './write-pipeline.js';

/** What the queue lends. */
export interface ScanWorld {
  readonly pipeline: WritePipeline;
  readonly storage: Storage;
  push(slot: ReplicaSlot, event: ReplicaEvent): void;
  /** A scan failed for another reason than damage. What is to be made of it: `unreadable` is dealt with already. */
  scanFailed(slot: ReplicaSlot, error: unknown): 'damaged' | 'unreadable';
}

export interface ScanRequest {
  readonly scan: string;
  readonly range: StorageRange;
  readonly limit: number;
  readonly view: string | undefined;
}

/** Answers with a `scanned` event, unless a later scan of the name takes its place. */
export function scan(world: ScanWorld, slot: ReplicaSlot, request: ScanRequest): void {
  const ticket = slot.beginScan(request.scan);
  const answer = (entries: readonly StorageEntry[] | undefined): void => {
    if (slot.endScan(request.scan, ticket)) world.push(slot, scanned(slot, request, entries));
  };
  const readFrom = (source: Storage | StorageView, isGone: () => boolean): void => {
    source
      .scan(slot.storedRange(request.range), request.limit, SCAN_PAGE_BYTES_MAX)
      .then(answer, (error: unknown) => {
        if (isDamage(error) || isGone()) answer(undefined);
        else if (slot.endScan(request.scan, ticket) && world.scanFailed(slot, error) === 'damaged')
          world.push(slot, scanned(slot, request, undefined));
      });
  };
  const { pipeline } = world;
  const { view: name } = request;
  if (name === undefined) pipeline.after(pipeline.newest, () => readFrom(world.storage, () => false));
  else {
    slot.views.whenOpen(name, (view) => {
      if (view === undefined) answer(undefined);
      else readFrom(view, () => !slot.views.holds(name, view));
    });
  }
}

function isDamage(error: unknown): boolean {
  return error instanceof TrefoilError && error.code === 'RecordCorrupt';
}

/** The step is over that asked for these views: they keep what it and those before it have written, and nothing later. */
export function openViews(world: ScanWorld, asked: readonly KeptView[]): void {
  if (asked.length === 0) return;
  const { pipeline } = world;
  pipeline.seal();
  pipeline.after(pipeline.newest, () => {
    for (const view of asked) view.open(world.storage);
  });
}

function scanned(
  slot: ReplicaSlot,
  request: ScanRequest,
  entries: readonly StorageEntry[] | undefined,
): ReplicaEvent {
  const found = entries ?? [];
  let bytes = 0;
  const own = found.map(([key, value]) => {
    bytes += key.length + value.length;
    return [key.slice(slot.prefix.length), value] as const;
  });
  // A page may end early for its bytes; asking once too often is harmless, missing a page is not.
  const more = found.length >= request.limit || bytes >= SCAN_PAGE_BYTES_MAX / 2;
  return { type: 'scanned', scan: request.scan, entries: own, more, damaged: entries === undefined };
}
