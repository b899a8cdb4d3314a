/**
 * Members by key, several under one key, in the order in which they came. A group of one member costs no more than an
 * entry of a map: most groups of a gateway are such.
 */
export class Groups<Key, Member extends object> {
  readonly #groups = new Map<Key, Member | Set<Member>>();

  /** How many keys have members. */
  get size(): number {
    return this.#groups.size;
  }

  add(key: Key, member: Member): void {
    const group = this.#groups.get(key);
    if (group === undefined) this.#groups.set(key, member);
    else if (group instanceof Set) group.add(member);
    else if (group !== member) this.#groups.set(key, new Set([group, member]));
  }

  delete(key: Key, member: Member): void {
    const group = this.#groups.get(key);
    if (group instanceof Set) {
      group.delete(member);
      if (group.size === 0) this.#groups.delete(key);
    } else if (group === member) this.#groups.delete(key);
  }

  /** How many members a key has. */
  count(key: Key): number {
    const group = this.#groups.get(key);
    if (group === undefined) return 0;
    return group instanceof Set ? group.size : 1;
  }

  /** A copy. */
  of(key: Key): Member[] {
    const group = this.#groups.get(key);
    if (group === undefined) return [];
    return group instanceof Set ? [...group] : [group];
  }
}
