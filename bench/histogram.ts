/**
 * Latencies in constant memory: a log-linear histogram (after G. Tene's HdrHistogram). Values up to 255 are
 * counted exactly; above that each power of two is cut into 128 buckets, so a quantile is at most 0.8 % too
 * high. Rejected: keeping every sample and sorting. It grows with the throughput it measures, and a faster
 * subject would pay for it in garbage collection.
 */

const SUB_BITS = 7;
const SUB = 1 << SUB_BITS;
/** Microseconds; a longer value counts as this one. About 35 minutes. */
const VALUE_MAX = 2 ** 31 - 1;

/** What a histogram has counted; its own, not to be changed. */
export interface HistogramData {
  readonly buckets: Float64Array;
  readonly max: number;
}

export class Histogram {
  readonly #buckets = new Float64Array(bucketOf(VALUE_MAX) + 1);
  #count = 0;
  #max = 0;

  /** As it travels to another process. */
  get data(): HistogramData {
    return { buckets: this.#buckets, max: this.#max };
  }

  /** Takes in what another one has counted. */
  add({ buckets, max }: HistogramData): void {
    buckets.forEach((count, bucket) => {
      this.#buckets[bucket] = (this.#buckets[bucket] ?? 0) + count;
      this.#count += count;
    });
    this.#max = Math.max(this.#max, max);
  }

  get count(): number {
    return this.#count;
  }

  /** The largest value, exactly; 0 where there is none. */
  get max(): number {
    return this.#max;
  }

  /** Counts a value of at least 0, rounded to an integer. */
  record(value: number): void {
    const rounded = Math.min(VALUE_MAX, Math.max(0, Math.round(value)));
    const bucket = bucketOf(rounded);
    this.#buckets[bucket] = (this.#buckets[bucket] ?? 0) + 1;
    this.#count++;
    if (rounded > this.#max) this.#max = rounded;
  }

  /** The value that a share `q` (0 to 1) of all values does not exceed; 0 where there are none. */
  quantile(q: number): number {
    const rank = Math.max(1, Math.ceil(q * this.#count));
    let seen = 0;
    for (let bucket = 0; bucket < this.#buckets.length; bucket++) {
      seen += this.#buckets[bucket] ?? 0;
      if (seen >= rank) return Math.min(highestOf(bucket), this.#max);
    }
    return this.#max;
  }
}

/** Buckets are numbered without holes: `shift` low bits are dropped, 128 buckets for each further power of two. */
function bucketOf(value: number): number {
  if (value < 2 * SUB) return value;
  const shift = 31 - Math.clz32(value) - SUB_BITS;
  return shift * SUB + (value >>> shift);
}

/** The highest value that falls into a bucket. */
function highestOf(bucket: number): number {
  if (bucket < 2 * SUB) return bucket;
  const shift = Math.floor(bucket / SUB) - 1;
  return (bucket - shift * SUB + 1) * 2 ** shift - 1;
}
