import { MemoryLevel } from 'memory-level';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LevelStorage, openLevelStorage } from '../../src/adapters/level-storage.js';
import { SimulatedWorld } from '../../src/simulation/world.js';
import { eventLoopTurns } from '../../chaos/event-loop.js';
import { describeStorage } from './storage-contract.js';

describeStorage({
  name: 'simulated',
  persistent: true,
  copies: true,
  makeWorld: async () => {
    const world = new SimulatedWorld({ seed: 'storage contract', turns: eventLoopTurns });
    const disk = world.disk('n1');
    return {
      open: async () => disk.open(),
      settle: (promise) => world.simulation.settle(promise),
      dispose: async () => undefined,
    };
  },
});

describeStorage({
  name: 'LevelDB',
  persistent: true,
  copies: true,
  makeWorld: async () => {
    const folder = await mkdtemp(join(tmpdir(), 'trefoil-storage-'));
    return {
      open: () => openLevelStorage(folder),
      settle: (promise) => promise,
      dispose: () => rm(folder, { recursive: true }),
    };
  },
});

describeStorage({
  name: 'memory-level',
  persistent: false,
  copies: false,
  makeWorld: async () => {
    return {
      open: async () => {
        const level = new MemoryLevel<string, Uint8Array>({ keyEncoding: 'utf8', valueEncoding: 'view' });
        await level.open();
        return new LevelStorage(level, 'memory');
      },
      settle: (promise) => promise,
      dispose: async () => undefined,
    };
  },
});
