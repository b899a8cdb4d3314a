/** No cell: the end of a chain. */
export const noCell = 0;

const cellsPerSlab = 1024;
const slabShift = 10;
const slabMask = cellsPerSlab - 1;
const intsPerCell = 16;

/** The index, within a cell's 16 ints, of the number of the next cell in its chain or in its slab's free list. */
export const linkAt = 15;

/** 1024 cells, seen as numbers of three widths: 8 floats, 16 ints or 32 units of 16 bits each. */
export class Slab {
  readonly floats: Float64Array;
  readonly ints: Int32Array;
  readonly units: Uint16Array;
  /** One value of any kind for each cell. */
  readonly values: unknown[] = new Array(cellsPerSlab).fill(undefined);
  used = 0;
  /** Whether it is in the pool's list of slabs with free cells. */
  listed = true;
  /** Index of the first free cell; -1 when there is none. */
  firstFree = 0;

  constructor() {
    const bytes = new ArrayBuffer(cellsPerSlab * intsPerCell * 4);
    this.floats = new Float64Array(bytes);
    this.ints = new Int32Array(bytes);
    this.units = new Uint16Array(bytes);
    for (let index = 0; index < cellsPerSlab; index++) {
      this.ints[index * intsPerCell + linkAt] = index + 1 < cellsPerSlab ? index + 1 : -1;
    }
  }
}

/**
 * Cells of 64 bytes, a cache line of the processor, handed out by number from slabs of 64 KiB. To the garbage collector
 * a million of them are a thousand objects, and a slab whose last cell is released can be collected.
 */
export class CellPool {
  readonly #slabs: (Slab | undefined)[] = [];
  readonly #withFreeCells: number[] = [];
  readonly #freeNumbers: number[] = [];
  #emptySlabs = 0;

  constructor() {
    // Cell 0 stays allocated, so that its number can mean "none".
    this.allocate();
  }

  /** Memory held for cells, in use or free. */
  get bytes(): number {
    return (this.#slabs.length - this.#freeNumbers.length) * cellsPerSlab * intsPerCell * 4;
  }

  /** The slab of `cell`; only for a cell in use. */
  slab(cell: number): Slab {
    return this.#slabs[cell >> slabShift] as Slab;
  }

  /** The cell's index in its slab. */
  index(cell: number): number {
    return cell & slabMask;
  }

  /** Allocates a cell and returns its number. Its link is {@link noCell}; the rest is as its last user left it. */
  allocate(): number {
    const number = this.#numberWithFreeCell();
    const slab = this.#slabs[number] as Slab;
    const index = slab.firstFree;
    slab.firstFree = slab.ints[index * intsPerCell + linkAt] as number;
    slab.ints[index * intsPerCell + linkAt] = noCell;
    if (slab.used++ === 0) this.#emptySlabs--;
    return (number << slabShift) | index;
  }

  release(cell: number): void {
    const number = cell >> slabShift;
    const index = cell & slabMask;
    const slab = this.#slabs[number] as Slab;
    slab.values[index] = undefined;
    slab.ints[index * intsPerCell + linkAt] = slab.firstFree;
    slab.firstFree = index;
    if (!slab.listed) {
      slab.listed = true;
      this.#withFreeCells.push(number);
    }
    // One empty slab stays, so that a pool at the edge of a slab does not create and drop one repeatedly.
    if (--slab.used === 0 && ++this.#emptySlabs > 1) this.#drop(number);
  }

  #drop(number: number): void {
    this.#slabs[number] = undefined;
    this.#freeNumbers.push(number);
    this.#emptySlabs--;
  }

  #numberWithFreeCell(): number {
    const list = this.#withFreeCells;
    for (let number = list.at(-1); number !== undefined; number = list.at(-1)) {
      const slab = this.#slabs[number];
      if (slab !== undefined && slab.firstFree >= 0) return number;
      if (slab !== undefined) slab.listed = false;
      list.pop();
    }
    const number = this.#freeNumbers.pop() ?? this.#slabs.length;
    this.#slabs[number] = new Slab();
    this.#emptySlabs++;
    list.push(number);
    return number;
  }
}
