/**
 * The views of one replica by name. A view is asked for in a step and opened when the batches of that step are written; scans of it that come
 * between wait. Once it is closed, replaced or could not be opened, those that wait and those that come learn that there is none.
 */
import { TrefoilError } from '../core/errors.js';
import type { Storage, StorageView } from '../runtime/runtime.js';

type Waiting = (view: StorageView | undefined) => void;

export class KeptView {
  #state: 'asked' | 'open' | 'gone' = 'asked';
  #view: StorageView | undefined;
  #waiting: Waiting[] = [];

  /** Its batches are written: it keeps what the store holds now, unless it was closed meanwhile. */
  open(storage: Storage): void {
    if (this.#state !== 'asked') return;
    try {
      this.#view = storage.view();
      this.#settle('open');
    } catch (error) {
      if (!(error instanceof TrefoilError)) throw error;
      this.#settle('gone');
    }
  }

  /** Calls `run` with the view once it is open, or with undefined where it is gone. */
  whenOpen(run: Waiting): void {
    if (this.#state === 'asked') this.#waiting.push(run);
    else run(this.#view);
  }

  /** Whether this is the view, and open. */
  is(view: StorageView): boolean {
    return this.#view === view;
  }

  /** Scans that are under way are still answered. */
  close(): void {
    // Closing gives back resources; whoever could not be given them back to is closed itself.
    void this.#view?.close().catch(() => undefined);
    this.#view = undefined;
    this.#settle('gone');
  }

  #settle(state: 'open' | 'gone'): void {
    this.#state = state;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const run of waiting) run(this.#view);
  }
}

export class KeptViews {
  readonly #views = new Map<string, KeptView>();

  /** A view to be opened under this name, in place of the one before it. */
  ask(name: string): KeptView {
    this.close(name);
    const view = new KeptView();
    this.#views.set(name, view);
    return view;
  }

  whenOpen(name: string, run: Waiting): void {
    const view = this.#views.get(name);
    if (view === undefined) run(undefined);
    else view.whenOpen(run);
  }

  /** Whether this view is still the one of that name. */
  holds(name: string, view: StorageView): boolean {
    return this.#views.get(name)?.is(view) === true;
  }

  close(name: string): void {
    this.#views.get(name)?.close();
    this.#views.delete(name);
  }

  closeAll(): void {
    for (const name of [...this.#views.keys()]) this.close(name);
  }
}
