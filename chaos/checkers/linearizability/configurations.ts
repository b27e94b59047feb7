/**
 * The configurations that a search has been in: which steps were made, and the state they led to.
 *
 *     key = [word count, state, first step not made / 32, bits from there on ...]    the required steps that were made
 *     spent = [(pending class, used) ...]                                            what it took of those that may be made
 *
 * Of two configurations with one key, the one that has spent no more of any class can do all that the other can. So a key keeps
 * only the least that was spent on it, a list in which none is below another, and what is not below all of them has been searched.
 *
 * Made steps are nearly a prefix by invocation, so the full words in front are not kept: an entry is as long as what
 * is concurrent, not as the history. Entries lie in one growing array, found by hash and then compared word for word: a hash
 * alone would one day call a linearizable history invalid. Rejected: a Map keyed by text, ten times the memory.
 *
 *     words: key ... | spent list: next (0 at the end), pair count, pairs ...
 */
const WORDS_MIN = 1024;
const SLOTS_MIN = 256;

/** Words of a spent list's record besides its pairs. */
const SPENT_WORDS = 2;

export class Configurations {
  private words = new Int32Array(WORDS_MIN);
  private used = 1;
  /** Offsets of keys into `words`, 0 for none; open addressing, at most half full. */
  private slots = new Int32Array(SLOTS_MIN);
  private hashes = new Int32Array(SLOTS_MIN);
  /** Per slot, where its first spent list lies. */
  private lists = new Int32Array(SLOTS_MIN);
  private count = 0;
  /** Spent lists that the last `add` compared: its work. */
  compared = 0;

  get bytes(): number {
    return 4 * (this.words.length + this.slots.length + this.hashes.length + this.lists.length);
  }

  /** What `bytes` would be, with the copies in flight, if the next `add` had to grow. */
  get bytesIfGrown(): number {
    return 3 * this.bytes;
  }

  /** Whether the next `add` of so many words, with so many classes spent, may have to grow. */
  mustGrow(length: number, classes: number): boolean {
    const words = length + SPENT_WORDS + 2 * classes;
    return this.used + words > this.words.length || 2 * (this.count + 1) > this.slots.length;
  }

  /**
   * Adds the first `length` words of `entry`, with what was spent: the first `classes` numbers of `spent` are classes, and `uses`
   * has how much of each. False if the search was there before, having spent no more.
   */
  add(
    entry: Int32Array,
    length: number,
    hash: number,
    spent: Int32Array,
    classes: number,
    uses: Int32Array,
  ): boolean {
    if (2 * (this.count + 1) > this.slots.length) this.growSlots();
    const words = length + SPENT_WORDS + 2 * classes;
    while (this.used + words > this.words.length) {
      const grown = new Int32Array(2 * this.words.length);
      grown.set(this.words);
      this.words = grown;
    }
    this.compared = 0;
    const mask = this.slots.length - 1;
    let slot = hash & mask;
    for (let offset = this.slots[slot]!; offset !== 0; offset = this.slots[slot]!) {
      if (this.hashes[slot] === hash && this.equals(offset, entry, length))
        return this.addSpent(slot, spent, classes, uses);
      slot = (slot + 1) & mask;
    }
    for (let at = 0; at < length; at++) this.words[this.used + at] = entry[at]!;
    this.slots[slot] = this.used;
    this.hashes[slot] = hash;
    this.used += length;
    this.count++;
    return this.addSpent(slot, spent, classes, uses);
  }

  private addSpent(slot: number, spent: Int32Array, classes: number, uses: Int32Array): boolean {
    const { words } = this;
    for (let list = this.lists[slot]!; list !== 0; list = words[list]!) {
      this.compared++;
      if (this.isWithin(list, uses)) return false;
    }
    const added = this.used;
    words[added] = this.lists[slot]!;
    words[added + 1] = classes;
    this.used += SPENT_WORDS;
    for (let at = 0; at < classes; at++) {
      words[this.used++] = spent[at]!;
      words[this.used++] = uses[spent[at]!]!;
    }
    this.lists[slot] = added;
    this.dropAbove(added, spent, classes, uses);
    return true;
  }

  /** Whether a list has spent no more of any class than `uses` has. */
  private isWithin(list: number, uses: Int32Array): boolean {
    const { words } = this;
    const end = list + SPENT_WORDS + 2 * words[list + 1]!;
    for (let at = list + SPENT_WORDS; at < end; at += 2) {
      if (words[at + 1]! > uses[words[at]!]!) return false;
    }
    return true;
  }

  /** Unlinks the lists that have spent no less than the one just added; their words stay where they are. */
  private dropAbove(added: number, spent: Int32Array, classes: number, uses: Int32Array): void {
    const { words } = this;
    let before = added;
    for (let list = words[added]!; list !== 0; list = words[list]!) {
      if (this.isAbove(list, spent, classes, uses)) words[before] = words[list]!;
      else before = list;
    }
  }

  /** Whether a list has spent no less of each of some classes than `uses` has. Pairs are in the order of classes. */
  private isAbove(list: number, spent: Int32Array, classes: number, uses: Int32Array): boolean {
    const { words } = this;
    const end = list + SPENT_WORDS + 2 * words[list + 1]!;
    let at = list + SPENT_WORDS;
    for (let of = 0; of < classes; of++) {
      const wanted = spent[of]!;
      while (at < end && words[at]! < wanted) at += 2;
      if (at >= end || words[at] !== wanted || words[at + 1]! < uses[wanted]!) return false;
    }
    return true;
  }

  private equals(offset: number, entry: Int32Array, length: number): boolean {
    // The first word is the length itself, so entries of other lengths differ at once.
    for (let at = 0; at < length; at++) if (this.words[offset + at] !== entry[at]) return false;
    return true;
  }

  private growSlots(): void {
    const { slots, hashes, lists } = this;
    this.slots = new Int32Array(2 * slots.length);
    this.hashes = new Int32Array(2 * slots.length);
    this.lists = new Int32Array(2 * slots.length);
    const mask = this.slots.length - 1;
    for (let old = 0; old < slots.length; old++) {
      if (slots[old] === 0) continue;
      let slot = hashes[old]! & mask;
      while (this.slots[slot] !== 0) slot = (slot + 1) & mask;
      this.slots[slot] = slots[old]!;
      this.hashes[slot] = hashes[old]!;
      this.lists[slot] = lists[old]!;
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
