/**
 * What a process has used, as Linux tells it in /proc: CPU time and peak resident memory. Elsewhere there is
 * nothing to read and the report says so; nothing is estimated.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';

let ticksPerSecond: number | undefined;

/** CPU seconds, user and system, of all threads since the process began; undefined where that cannot be read. */
export function cpuSecondsOf(pid: number): number | undefined {
  const stat = readProc(pid, 'stat');
  if (stat === undefined) return undefined;
  ticksPerSecond ??= Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));
  return cpuTicks(stat) / ticksPerSecond;
}

/** The user and system ticks in a line of /proc/PID/stat. The name, field 2, may hold spaces and brackets. */
export function cpuTicks(stat: string): number {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  // utime and stime are fields 14 and 15 of the line, counted from 1.
  return Number(fields[11]) + Number(fields[12]);
}

/** The highest resident memory in bytes since the last `forgetPeak`, or since the process began. */
export function peakBytesOf(pid: number): number | undefined {
  const status = readProc(pid, 'status');
  const peakKiB = /^VmHWM:\s+(\d+) kB$/m.exec(status ?? '')?.[1];
  return peakKiB === undefined ? undefined : Number(peakKiB) * 1024;
}

/** Lets the peak start anew from what is resident now. Where the system refuses, peaks are those of the whole life. */
export function forgetPeak(pid: number): void {
  try {
    writeFileSync(`/proc/${pid}/clear_refs`, '5');
  } catch {
    // Not Linux, or not permitted.
  }
}

function readProc(pid: number, file: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return undefined;
  }
}
