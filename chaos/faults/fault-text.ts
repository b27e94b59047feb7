/** When a fault began and ended, and what it was, for people. */
import { describeFault, isInstant } from './apply-fault.js';
import type { Fault } from './fault.js';

export function faultText(fault: Fault): string {
  const { atMs, forMs } = fault;
  const span = isInstant(fault) ? seconds(atMs) : `${seconds(atMs)} to ${seconds(atMs + forMs)}`;
  return `${span}: ${describeFault(fault)}`;
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(3)} s`;
}
