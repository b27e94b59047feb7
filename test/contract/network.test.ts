import { vi } from 'vitest';
import { createWsNetwork } from '../../src/adapters/ws-network.js';
import { SimulatedWorld } from '../../src/simulation/world.js';
import { eventLoopTurns } from '../../chaos/event-loop.js';
import { describeNetwork } from './network-contract.js';

describeNetwork({
  name: 'simulated',
  makeWorld: async () => {
    const world = new SimulatedWorld({ seed: 'network contract', turns: eventLoopTurns });
    return {
      server: world.network.endpoint('server'),
      client: world.network.endpoint('client'),
      host: 'server',
      until: (predicate) => world.simulation.runUntil(predicate),
      settle: (promise) => world.simulation.settle(promise),
      dispose: async () => undefined,
    };
  },
});

describeNetwork({
  name: 'WebSocket',
  makeWorld: async () => ({
    server: createWsNetwork(),
    client: createWsNetwork(),
    host: '127.0.0.1',
    until: (predicate) => vi.waitUntil(predicate, { timeout: 20_000, interval: 2 }).then(() => undefined),
    settle: (promise) => promise,
    dispose: async () => undefined,
  }),
});
