/** Lets every pending promise callback run: what a simulation does between two events. */
export function drain(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
