/**
 * What the seed has in store for one frame. Everything is drawn for every frame, whatever the rates are: so a
 * rate that changes makes other frames fall to it, and nothing else. Latencies, and whether a frame is lost
 * or corrupted, come from one generator of the way; all that describes a fault comes from another.
 */
import type { Path } from './pipe.js';
import type { Range } from './random.js';

/** How long it takes two ends to notice that their connection broke. */
const LOSS_NOTICED_MS: Range = [200, 2_000];

export interface FrameFate {
  /** The connection turns out to be broken from here on. */
  readonly lost: boolean;
  readonly lossNoticedMs: number;
  /** Which bit is flipped, as a share of all. */
  readonly flippedBit: number | undefined;
  readonly dropped: boolean;
  readonly late: boolean;
  readonly lateMs: number;
  readonly twice: boolean;
  readonly copyLateMs: number;
  /** 0 but in the long tail. */
  readonly tailMs: number;
}

/** Nothing happens to it, as to most. */
const WHOLE: FrameFate = {
  lost: false,
  lossNoticedMs: 0,
  flippedBit: undefined,
  dropped: false,
  late: false,
  lateMs: 0,
  twice: false,
  copyLateMs: 0,
  tailMs: 0,
};

export function drawFate(path: Path): FrameFate {
  const { random, faultRandom } = path;
  const { lossRate, corruptionRate, dropRate, reorderRate, duplicateRate, tailRate, lateMs, tailMs } =
    path.conditions();
  const lost = random.chance(lossRate);
  const corrupted = random.chance(corruptionRate);
  const lossNoticedMs = faultRandom.between(LOSS_NOTICED_MS);
  const bit = faultRandom.float();
  const dropped = faultRandom.chance(dropRate);
  const late = faultRandom.chance(reorderRate);
  const ownLateMs = faultRandom.between(lateMs);
  const twice = faultRandom.chance(duplicateRate);
  const copyLateMs = faultRandom.between(lateMs);
  const inTail = faultRandom.chance(tailRate);
  const ownTailMs = faultRandom.between(tailMs);
  if (!(lost || corrupted || dropped || late || twice || inTail)) return WHOLE;
  return {
    lost,
    lossNoticedMs,
    flippedBit: corrupted ? bit : undefined,
    dropped,
    late,
    lateMs: ownLateMs,
    twice,
    copyLateMs,
    tailMs: inTail ? ownTailMs : 0,
  };
}
