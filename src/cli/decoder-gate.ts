/**
 * Who may use the image decoder at the same time.
 *
 * libvips keeps its error text in one buffer for the whole process: a decode that ends, well or badly, empties the
 * buffer or adds to it while another one fails. Whether a decode fails is reliable; what it says is not, unless
 * nothing else is decoding. So all decodes run together, and one that failed is repeated by itself to learn why.
 */
export class DecoderGate {
  readonly #together = new Set<Promise<unknown>>();
  #lastAlone: Promise<unknown> = Promise.resolve();
  #alone = 0;

  /** Runs `work` beside others of its kind, but not while anything runs alone. */
  async together<T>(work: () => Promise<T>): Promise<T> {
    while (this.#alone > 0) await this.#lastAlone;
    const running = work();
    this.#together.add(running);
    try {
      return await running;
    } finally {
      this.#together.delete(running);
    }
  }

  /** Runs `work` once all that runs has ended, and lets nothing begin meanwhile. First come, first served. */
  async alone<T>(work: () => Promise<T>): Promise<T> {
    this.#alone++;
    const before = this.#lastAlone;
    const running = before.then(() => Promise.allSettled(this.#together)).then(work);
    this.#lastAlone = running.catch(() => undefined);
    try {
      return await running;
    } finally {
      this.#alone--;
    }
  }
}
