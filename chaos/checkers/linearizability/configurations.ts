/**
 * The configurations that a search has been in: which steps were made, and the state they led to.
 *
 *     words = [word count, state, first step not made / 32, used of each pending class ..., bits from there on ...]
 *
 * Made steps are nearly a prefix by invocation, so the full words in front are not kept: an entry is as long as what
 * is concurrent, not as the history. Entries lie in one growing array, found by hash and then compared word for word: a hash
 * alone would one day call a linearizable history invalid. Rejected: a Map keyed by text, ten times the memory.
 */
const WORDS_MIN = 1024;
const SLOTS_MIN = 256;

export class Configurations {
  private words = new Int32Array(WORDS_MIN);
  private used = 1;
  /** Offsets into `words`, 0 for none; open addressing, at most half full. */
  private slots = new Int32Array(SLOTS_MIN);
  private hashes = new Int32Array(SLOTS_MIN);
  private count = 0;

  get bytes(): number {
    return 4 * (this.words.length + this.slots.length + this.hashes.length);
  }

  /** What `bytes` would be, with the copies in flight, if the next `add` had to grow. */
  get bytesIfGrown(): number {
    return 3 * this.bytes;
  }

  /** Whether the next `add` of so many words has to grow. */
  mustGrow(length: number): boolean {
    return this.used + length > this.words.length || 2 * (this.count + 1) > this.slots.length;
  }

  /** Adds the first `length` words of `entry`; false if they were there. */
  add(entry: Int32Array, length: number, hash: number): boolean {
    if (2 * (this.count + 1) > this.slots.length) this.growSlots();
    const mask = this.slots.length - 1;
    let slot = hash & mask;
    for (let offset = this.slots[slot]!; offset !== 0; offset = this.slots[slot]!) {
      if (this.hashes[slot] === hash && this.equals(offset, entry, length)) return false;
      slot = (slot + 1) & mask;
    }
    while (this.used + length > this.words.length) {
      const grown = new Int32Array(2 * this.words.length);
      grown.set(this.words);
      this.words = grown;
    }
    for (let at = 0; at < length; at++) this.words[this.used + at] = entry[at]!;
    this.slots[slot] = this.used;
    this.hashes[slot] = hash;
    this.used += length;
    this.count++;
    return true;
  }

  private equals(offset: number, entry: Int32Array, length: number): boolean {
    // The first word is the length itself, so entries of other lengths differ at once.
    for (let at = 0; at < length; at++) if (this.words[offset + at] !== entry[at]) return false;
    return true;
  }

  private growSlots(): void {
    const { slots, hashes } = this;
    this.slots = new Int32Array(2 * slots.length);
    this.hashes = new Int32Array(2 * slots.length);
    const mask = this.slots.length - 1;
    for (let old = 0; old < slots.length; old++) {
      if (slots[old] === 0) continue;
      let slot = hashes[old]! & mask;
      while (this.slots[slot] !== 0) slot = (slot + 1) & mask;
      this.slots[slot] = slots[old]!;
      this.hashes[slot] = hashes[old]!;
    }
  }
}

/** Spreads a number over 32 bits (the finalizer of MurmurHash3). */
export function mix(number: number): number {
  let hash = number | 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}
