/**
 * A map that usually has one entry, at a quarter of the cost of a `Map`, which reserves room for four. With the second
 * entry it becomes a `Map` and stays one. It keeps the order of a `Map`.
 */
export class SmallMap<Key, Value extends object> {
  #key: Key | undefined;
  /** Undefined without an entry, or once there is a {@link #map}. */
  #value: Value | undefined;
  #map: Map<Key, Value> | undefined;

  get size(): number {
    if (this.#map !== undefined) return this.#map.size;
    return this.#value === undefined ? 0 : 1;
  }

  get(key: Key): Value | undefined {
    if (this.#map !== undefined) return this.#map.get(key);
    return this.#key === key ? this.#value : undefined;
  }

  set(key: Key, value: Value): void {
    if (this.#map !== undefined) this.#map.set(key, value);
    else if (this.#value === undefined || this.#key === key) {
      this.#key = key;
      this.#value = value;
    } else {
      this.#map = new Map<Key, Value>([
        [this.#key as Key, this.#value],
        [key, value],
      ]);
      this.#key = undefined;
      this.#value = undefined;
    }
  }

  delete(key: Key): void {
    if (this.#map !== undefined) this.#map.delete(key);
    else if (this.#key === key) this.clear();
  }

  clear(): void {
    this.#key = undefined;
    this.#value = undefined;
    this.#map = undefined;
  }

  /** A copy. */
  values(): Value[] {
    if (this.#map !== undefined) return [...this.#map.values()];
    return this.#value === undefined ? [] : [this.#value];
  }
}
