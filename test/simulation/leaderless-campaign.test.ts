/**
 * Longer: CAMPAIGN_FROM=1000 CAMPAIGN_SEEDS=500 npx vitest run test/simulation/leaderless-campaign.test.ts
 */
import { describe, expect, it } from 'vitest';
import { runCampaign } from '../support/leaderless-campaign.js';

const FROM = Number(process.env['CAMPAIGN_FROM'] ?? 1);
const SEEDS = Number(process.env['CAMPAIGN_SEEDS'] ?? 20);

/** Seeds that once found a defect, in the product or in the simulation. */
const FOUND = [20203, 20780, 30478, 100763, 100998];

describe('leaderless that forgets, under faults and lost disks', () => {
  for (const seed of Array.from({ length: SEEDS }, (_, i) => FROM + i)) {
    it(`keeps its promises, and nothing else, seed ${seed}`, { timeout: 300_000 }, async () => {
      const report = await runCampaign({ seed, forgetting: true });
      expect(report.violations, JSON.stringify(report.faults)).toEqual([]);
      expect(report.counters['tombstones_removed']).toBeGreaterThan(0);
      if (process.env['CAMPAIGN_VERBOSE']) console.log(JSON.stringify(report));
    });
  }
});

describe('leaderless under faults', () => {
  for (const seed of [...FOUND, ...Array.from({ length: SEEDS }, (_, i) => FROM + i)]) {
    it(`keeps its promises, seed ${seed}`, { timeout: 300_000 }, async () => {
      const report = await runCampaign({ seed });
      expect(report.violations, JSON.stringify(report.faults)).toEqual([]);
      expect(report.acknowledged).toBeGreaterThan(0);
      if (process.env['CAMPAIGN_VERBOSE']) console.log(JSON.stringify(report));
    });
  }

  it('replays: one seed gives the same events twice, another seed others', async () => {
    const [first, again, other] = [
      await runCampaign({ seed: 7, faultMs: 8_000 }),
      await runCampaign({ seed: 7, faultMs: 8_000 }),
      await runCampaign({ seed: 8, faultMs: 8_000 }),
    ];
    expect(again).toEqual(first);
    expect(other.traceHash).not.toBe(first.traceHash);
  });
});
