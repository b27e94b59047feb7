/**
 * The planted bugs of leaderless replication: mistakes that engineers have made in stores of this kind, each in the
 * place where it would be made here. `trefoil sim bugs` hunts them all.
 *
 * `seedsMax` is measured, not guessed: over some dozens of seeds of the experiment a bug was caught in a share p of
 * them, and the number is one for which (1 - p) ^ seedsMax is below 1 in 1,000, taking p somewhat lower than it was
 * measured. What was measured stands beside it.
 */
import type { PlantedBug } from './planted-bug.js';

export const LEADERLESS_BUGS: readonly PlantedBug[] = [
  // --- Durability and identity ---
  {
    name: 'acknowledge-before-fsync',
    strategy: 'leaderless',
    summary: 'replies and messages leave before the batch that they rest on is on disk',
    file: 'src/node/update-queue.ts',
    edits: [['if (waitsFor === 0)', 'if (true)']],
    experiments: ['leaderless-power-cuts'],
    seedsMax: 10, // caught in 20 of 20
  },
  {
    name: 'pass-on-what-is-not-on-disk',
    strategy: 'leaderless',
    summary:
      'a read begun over a write still in memory repairs others with it, and a crash makes its coordinator forget the dot',
    file: 'src/node/step.ts',
    edits: [['this.#waitsFor = Math.max(this.#waitsFor, mark);', '']],
    experiments: ['leaderless-slow-fsync'],
    seedsMax: 12, // caught in 16 of 22
  },
  {
    name: 'reuse-counters-after-crash',
    strategy: 'leaderless',
    summary: 'after a restart counters go on from where the reserved block began, so dots name two writes',
    file: 'src/node/minter.ts',
    edits: [['?.below ?? 1', '?.below - COUNTERS_RESERVED || 1']],
    experiments: ['leaderless-crashes'],
    seedsMax: 10, // caught in 20 of 20
  },
  {
    name: 'keep-incarnation-across-unclean-stop',
    strategy: 'leaderless',
    summary:
      'after a power failure a buffered namespace mints on under the incarnation whose last writes are gone',
    file: 'src/node/identity.ts',
    edits: [['clean ? incarnationId(last.buffered) : fresh.buffered', 'incarnationId(last.buffered)']],
    experiments: ['leaderless-buffered-power'],
    seedsMax: 10, // caught in 22 of 22
  },
  {
    name: 'damage-taken-for-absence',
    strategy: 'leaderless',
    summary: 'a record whose checksum fails is taken for a key that was never written',
    file: 'src/replication/leaderless/local-records.ts',
    edits: [["checkRecord(stored) ? stored : 'corrupt'", 'checkRecord(stored) ? stored : null']],
    experiments: ['leaderless-disks'],
    seedsMax: 16, // caught in 13 of 20
  },
  {
    name: 'repair-from-any-copy',
    strategy: 'leaderless',
    summary: 'a damaged record is repaired from the first replica that answers, which may be behind',
    file: 'src/replication/leaderless/record-repair.ts',
    edits: [['Math.max(1, witnessesNeeded(this.#members))', '1']],
    experiments: ['leaderless-rot'],
    seedsMax: 10, // caught in 12 of 12
  },

  // --- Records ---
  {
    name: 'drop-dot-on-merge',
    strategy: 'leaderless',
    summary:
      'a vector takes the dot after its counter for seen as well, so a merge drops a write that one side lacks',
    file: 'src/core/version-vector.ts',
    edits: [
      [
        'counterOf(vector, dot.incarnation) >= dot.counter',
        'counterOf(vector, dot.incarnation) + 1 >= dot.counter',
      ],
    ],
    experiments: ['leaderless-partitions'],
    seedsMax: 10, // caught in 22 of 22
  },
  {
    name: 'resolve-inside-merge',
    strategy: 'leaderless',
    summary: 'a merge keeps the sibling with the highest time only, so concurrent writes are lost',
    file: 'src/core/record.ts',
    edits: [
      [
        'const siblings = joinSiblings(a, b, seenByA, seenByB);',
        'const all = joinSiblings(a, b, seenByA, seenByB); const siblings = all.filter((s) => all.every((o) => o.hlc <= s.hlc));',
      ],
    ],
    experiments: ['leaderless-partitions'],
    seedsMax: 10, // caught in 20 of 20
  },
  {
    name: 'store-overwrites',
    strategy: 'leaderless',
    summary: 'a replica puts what it is sent over what it holds, in place of merging the two',
    file: 'src/replication/leaderless/local-records.ts',
    edits: [['sameRecord(merged, theirs) ? incoming : encodeRecord(merged)', 'incoming']],
    experiments: ['leaderless-partitions'],
    seedsMax: 40, // caught in 8 of 32
  },

  // --- Writes ---
  {
    name: 'write-covers-the-unseen',
    strategy: 'leaderless',
    summary: 'a write supersedes all that its coordinator holds, not only what its writer had seen',
    file: 'src/replication/leaderless/mint-write.ts',
    edits: [["namespace.conflict === 'lww' ? join(", 'true ? join(']],
    experiments: ['leaderless-partitions'],
    seedsMax: 10, // caught in 8 of 8
  },
  {
    name: 'hint-counted-in-strict-quorum',
    strategy: 'leaderless',
    summary: 'a hint kept for a replica counts as if the replica had the write',
    file: 'src/replication/leaderless/write-tally.ts',
    edits: [
      ["answer === 'stored' || answer === 'held'", "answer !== 'unreachable'"],
      ["return 'hinted';", "{ this.#stored++; return 'hinted'; }"],
    ],
    experiments: ['leaderless-disks'],
    seedsMax: 16, // caught in 12 of 20
  },
  {
    name: 'missed-quorum-told-as-failed',
    strategy: 'leaderless',
    summary: 'a write that missed its W is told to have failed, though it may be on some replicas and spread',
    file: 'src/replication/leaderless/write-coordinator.ts',
    edits: [
      [
        'replicas needed confirmed the write`)',
        "replicas needed confirmed the write`, { outcome: 'failed' })",
      ],
    ],
    experiments: ['leaderless-partitions'],
    seedsMax: 20, // caught in 16 of 32
  },
  {
    name: 'retry-as-new-operation',
    strategy: 'leaderless',
    summary: 'the SDK sends a retry under a new operation id, so nobody can tell that it is one',
    file: 'src/client/call.ts',
    edits: [
      [
        'repeated ? { ...operation, attempt: this.#uncertain }',
        'repeated ? { ...operation, operation: { ...operation.operation, sequence: operation.operation.sequence + 1000000 * this.#uncertain } }',
      ],
    ],
    experiments: ['leaderless-network'],
    seedsMax: 10, // caught in 27 of 32
  },

  {
    name: 'increment-covers-other-sums',
    strategy: 'leaderless',
    summary: 'an increment takes the place of the sums of all nodes, and what the others counted is gone',
    file: 'src/replication/leaderless/mint-write.ts',
    edits: [['const kept = record.siblings.filter((s) => s !== previous);', 'const kept = [];']],
    experiments: ['leaderless-counters'],
    seedsMax: 10, // caught in 8 of 8
  },
  {
    name: 'increment-retried-twice',
    strategy: 'leaderless',
    summary: 'a retry of an increment is not looked for in what the key remembers, and counts again',
    file: 'src/replication/leaderless/write-coordinator.ts',
    edits: [
      ['if (known.length > 0) {', 'if (known.length > 0 && !isTyped(conflict)) {'],
      ["if (attempt > 0 && conflict === 'counter') {", 'if (false) {'],
    ],
    experiments: ['leaderless-counters'],
    seedsMax: 16, // caught in 8 of 12
  },
  {
    name: 'remove-takes-all-that-was-seen',
    strategy: 'leaderless',
    summary: 'a remove of one element takes away every element that its context has seen',
    file: 'src/core/element-set.ts',
    edits: [['|| (removed !== null && (value === null || !removed.has(elementName(value))))', '']],
    experiments: ['leaderless-sets'],
    seedsMax: 10, // caught in 12 of 12
  },

  // --- Reads ---
  {
    name: 'read-one-short',
    strategy: 'leaderless',
    summary: 'a read answers with one replica fewer than R',
    file: 'src/replication/leaderless/read-coordinator.ts',
    edits: [
      [
        'if (read.answers.count >= read.required) {',
        'if (read.answers.count >= Math.max(1, read.required - 1)) {',
      ],
    ],
    experiments: ['leaderless-partitions'],
    seedsMax: 30, // caught in 11 of 32
  },
  {
    name: 'session-bound-ignored',
    strategy: 'leaderless',
    summary: 'a read answers without what its session has seen or written',
    file: 'src/replication/leaderless/read-coordinator.ts',
    edits: [['if (satisfies(read, merged))', 'if (true)']],
    experiments: ['leaderless-sessions'],
    seedsMax: 12, // caught in 26 of 32
  },
  {
    name: 'half-taken-for-a-majority',
    strategy: 'leaderless',
    summary: 'a quorum of four is two, so two quorums need not meet',
    file: 'src/cluster/cluster-map.ts',
    edits: [['Math.floor(replicas / 2) + 1', 'Math.ceil(replicas / 2)']],
    experiments: ['leaderless-four-replicas'],
    seedsMax: 60, // caught in 4 of 20
  },
  {
    name: 'repeated-operation-shown',
    strategy: 'leaderless',
    summary: 'a write that was applied twice, its retry by another coordinator, is shown twice',
    file: 'src/core/views.ts',
    edits: [['record.siblings.filter((s) => !isRepeated(record, s))', 'record.siblings']],
    experiments: ['leaderless-network'],
    seedsMax: 16, // caught in 12 of 20
  },
  {
    name: 'frame-checksum-ignored',
    strategy: 'leaderless',
    summary: 'a frame is decoded though its checksum does not match',
    file: 'src/protocol/codec.ts',
    edits: [['frame.readUInt32BE(0) !== crc32(', 'false && crc32(']],
    experiments: ['leaderless-network'],
    seedsMax: 24, // caught in 7 of 20
  },

  // --- Repair ---
  {
    name: 'skip-read-repair',
    strategy: 'leaderless',
    summary: 'a read leaves stale replicas as they are',
    file: 'src/replication/leaderless/read-coordinator.ts',
    edits: [['if (bytes === null || stale.length === 0)', 'if (true)']],
    experiments: ['leaderless-read-repair'],
    seedsMax: 10, // caught in 20 of 20
  },
  {
    name: 'compare-but-never-fetch',
    strategy: 'leaderless',
    summary: 'anti-entropy finds what differs and brings nothing back',
    file: 'src/replication/leaderless/pull-rounds.ts',
    edits: [
      [
        'const merged = this.#records.absorb(turn, effects, key, record, round.terms.absorbed);',
        "const merged = 'unchanged';",
      ],
    ],
    experiments: ['leaderless-lost-disk'],
    seedsMax: 3, // caught in 16 of 16
  },
  {
    name: 'hint-dropped-unconfirmed',
    strategy: 'leaderless',
    summary: 'a hint goes when it has been sent, not when it is confirmed, and what a stand-in held is gone',
    file: 'src/replication/leaderless/hinted-handoff.ts',
    edits: [["if (answer?.status === 'stored')", 'if (true)']],
    experiments: ['leaderless-sloppy-lost-disk'],
    seedsMax: 10, // caught in 22 of 22
  },

  // --- The floor ---
  {
    name: 'tombstone-dropped-by-timer',
    strategy: 'leaderless',
    summary: 'a tombstone goes once it is old, although a replica that is away still has what it deleted',
    file: 'src/replication/leaderless/floor.ts',
    edits: [
      ['floor = meet(floor, absorbed);', 'floor = join(floor, absorbed);'],
      ['if (absorbed === undefined) return EMPTY_VECTOR;', 'if (absorbed === undefined) continue;'],
      ['told.atMs < sinceMs) return undefined;', 'told.atMs < sinceMs) continue;'],
    ],
    experiments: ['leaderless-tombstones'],
    seedsMax: 80, // first caught after 10 runs
  },
  {
    name: 'refilling-replica-counts',
    strategy: 'leaderless',
    summary: 'a replica that lost its disk counts in the reads that it coordinates before it is refilled',
    file: 'src/replication/leaderless/read-coordinator.ts',
    edits: [["this.#floor.refilling ? 'refilling' : local", 'local']],
    experiments: ['leaderless-disks', 'leaderless-tombstones'],
    seedsMax: 80, // first caught after 14 runs
  },
  {
    name: 'restored-store-trusted',
    strategy: 'leaderless',
    summary:
      'a node whose store was set back to an old copy mints on under its old name, and gives dots twice',
    file: 'src/node/identity.ts',
    edits: [
      [
        'last.store !== storage.identity) return fresh; const clean = readMeta(storage, CLEAN) === true; return {',
        'false) return fresh; const clean = readMeta(storage, CLEAN) === true; return {',
      ],
    ],
    experiments: ['leaderless-forgetting'],
    seedsMax: 20, // caught in 9 of 16
  },
  {
    name: 'nothing-forgotten',
    strategy: 'leaderless',
    summary: 'nobody looks for what every replica has absorbed, and tombstones stay for good',
    file: 'src/replication/leaderless/pruning.ts',
    edits: [['if (prunable.length === 0) return false;', 'return false;']],
    experiments: ['leaderless-forgetting'],
    seedsMax: 3, // caught in 16 of 16
  },
];
