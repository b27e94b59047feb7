/**
 * Whether a pid from a file still names the process that was written down. Pids are reused, so a pid alone
 * may name a stranger by now, and `cluster down` would kill it. With the start time, which Linux tells in
 * /proc, a pid is as good as unique since boot. Elsewhere there is no start time and the pid has to do.
 *
 * A zombie counts as gone: where process 1 does not reap orphans, a dead node's pid stays for ever.
 */
import { readFileSync } from 'node:fs';

export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks after boot, with the boot's id; null where the system does not tell. */
  readonly startedAt: string | null;
}

/** The identity of a running process; undefined where none of that pid runs. */
export function identifyProcess(pid: number): ProcessIdentity | undefined {
  const stat = readProc(`/proc/${pid}/stat`);
  if (stat === undefined) return answersSignals(pid) ? { pid, startedAt: null } : undefined;
  const { state, startTicks } = parseStat(stat);
  if (state === 'Z' || state === 'X') return undefined;
  const boot = readProc('/proc/sys/kernel/random/boot_id')?.trim() ?? '';
  return { pid, startedAt: `${boot}:${startTicks}` };
}

/** Whether the very process that was identified still runs. */
export function isRunning(identity: ProcessIdentity): boolean {
  const now = identifyProcess(identity.pid);
  if (now === undefined) return false;
  return identity.startedAt === null || now.startedAt === null || identity.startedAt === now.startedAt;
}

/** Fields 3 and 22 of /proc/PID/stat. Field 2, the name, may hold blanks and brackets: count from its last bracket. */
export function parseStat(stat: string): { readonly state: string; readonly startTicks: string } {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return { state: fields[0] ?? '', startTicks: fields[19] ?? '' };
}

/** Memory that a process holds in RAM, in bytes; undefined where the system does not tell. */
export function residentBytes(pid: number): number | undefined {
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(readProc(`/proc/${pid}/status`) ?? '')?.[1];
  return kib === undefined ? undefined : Number(kib) * 1024;
}

function readProc(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

function answersSignals(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
