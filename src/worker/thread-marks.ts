import { cell, type SharedCells } from "./thread-protocol.ts";

/** What a thread leaves in shared memory about its work, to be read when it cannot be asked any more. */
export class ThreadMarks {
  readonly #cells: SharedCells;

  constructor(cells: SharedCells) {
    this.#cells = cells;
  }

  /** The function of the call in this slot is called now. */
  begin(slot: number): void {
    const { numbers, begun } = this.#cells;
    Atomics.store(begun, slot, 1);
    Atomics.store(numbers, cell.current, slot);
    Atomics.add(numbers, cell.progress, 1);
  }

  /** Something was done for a call that had begun. */
  progress(): void {
    Atomics.add(this.#cells.numbers, cell.progress, 1);
  }

  /** No call is on the stack. */
  rest(): void {
    Atomics.store(this.#cells.numbers, cell.current, -1);
  }

  /** The event loop has answered a ping. */
  pong(number: number): void {
    Atomics.store(this.#cells.numbers, cell.pong, number);
  }
}
