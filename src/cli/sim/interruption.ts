/** Ctrl-C of a long command: the first asks it to end with what it has, the second ends it at once. */

export interface Interruption {
  /** Aborted at the first SIGINT or SIGTERM. */
  readonly signal: AbortSignal;
  /** What the process ends with: 130 or 143 once it was interrupted, as shells expect. */
  exitCode(): number | undefined;
  /** Signals do again what they do by default. */
  over(): void;
}

export function listenForInterruption(): Interruption {
  const controller = new AbortController();
  let code: number | undefined;
  const onSignal = (name: NodeJS.Signals): void => {
    const codeOfSignal = name === 'SIGINT' ? 130 : 143;
    if (code !== undefined) process.exit(codeOfSignal);
    code = codeOfSignal;
    controller.abort();
  };
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
  return {
    signal: controller.signal,
    exitCode: () => code,
    over: () => void process.off('SIGINT', onSignal).off('SIGTERM', onSignal),
  };
}
