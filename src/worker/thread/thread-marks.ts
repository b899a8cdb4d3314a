import { cell, type SharedCells, slotState } from "./thread-protocol.ts";

/** A thread's record of its work in shared memory, readable when the thread no longer answers. */
export class ThreadMarks {
  readonly #cells: SharedCells;

  constructor(cells: SharedCells) {
    this.#cells = cells;
  }

  /**
   * Marks that the function of the call in this slot is called now.
   * @returns false if the pool took the call back
   */
  begin(slot: number): boolean {
    if (!this.#claim(slot, slotState.begun)) return false;
    const { numbers } = this.#cells;
    Atomics.store(numbers, cell.current, slot);
    Atomics.add(numbers, cell.progress, 1);
    return true;
  }

  /**
   * Marks that the call in this slot waits for an import.
   * @returns as {@link begin}
   */
  load(slot: number): boolean {
    return this.#claim(slot, slotState.loading);
  }

  /**
   * Marks that the call in this slot cannot be loaded.
   * @returns as {@link begin}
   */
  fail(slot: number): boolean {
    return this.#claim(slot, slotState.unloadable);
  }

  /** Marks progress of a call that has begun. */
  progress(): void {
    Atomics.add(this.#cells.numbers, cell.progress, 1);
  }

  /** Marks that no call is on the stack. */
  rest(): void {
    Atomics.store(this.#cells.numbers, cell.current, -1);
  }

  #claim(slot: number, next: number): boolean {
    const { states } = this.#cells;
    const { sent, loading } = slotState;
    return (
      Atomics.compareExchange(states, slot, sent, next) === sent ||
      Atomics.compareExchange(states, slot, loading, next) === loading
    );
  }

  /** Marks that the event loop has answered a ping. */
  pong(number: number): void {
    Atomics.store(this.#cells.numbers, cell.pong, number);
  }
}
