import semver from "semver";
import type { FunConfig } from "./fun-config.ts";

/** Who registered a function: the gateway's host program, a node that pushed it, or a node it was pulled from. */
export type Origin = "host" | "pushed" | "pulled";

/** A registered function: its configuration, and whatever was compiled from it once, at registration. */
export interface ConfigEntry {
  readonly config: FunConfig;
  /** @default "host" */
  readonly origin?: Origin;
  /** Of a function of nodes: stands for what they wrote, its `nodes` apart. */
  readonly contentHash?: string;
}

/** Whether the host program registered this function: nodes may not replace it. */
export function isOfHost({ origin = "host" }: ConfigEntry): boolean {
  return origin === "host";
}

/** Why a lookup found nothing. */
export type Missing = "not_found" | "disabled";

interface Versions<Entry> {
  readonly byVersion: Map<string | null, Entry>;
  /** What a request without a version gets; undefined after a write that may have changed it, until the next read. */
  latest: Entry | Missing | undefined;
}

/**
 * The table of registered functions. Services, request types and versions are keys of Maps, never property names.
 *
 * It only stores: checks and compilation happen before, in the actor that owns the table. Reads are direct.
 */
export class ConfigStore<Entry extends ConfigEntry> {
  readonly #services = new Map<string, Map<string, Versions<Entry>>>();
  #count = 0;

  /** How many configurations there are, versions counted one by one. */
  get count(): number {
    return this.#count;
  }

  /**
   * The function that a request names. No version, or the reserved `"0.0.0"`, asks for the latest:
   * the highest enabled version by semver precedence, then the unversioned one, then an enabled pre-release.
   */
  resolve(service: string, requestType: string, version: string | null): Entry | Missing {
    const versions = this.#services.get(service)?.get(requestType);
    if (versions === undefined) return "not_found";
    if (version === null || version === "0.0.0") {
      versions.latest ??= latestOf(versions.byVersion);
      return versions.latest;
    }
    const entry = versions.byVersion.get(version);
    if (entry === undefined) return "not_found";
    return entry.config.disabled ? "disabled" : entry;
  }

  /** Whether the function is registered, in whatever version, enabled or not. */
  has(service: string, requestType: string): boolean {
    return this.#services.get(service)?.has(requestType) === true;
  }

  /** The entry with exactly this version, enabled or not. */
  find(service: string, requestType: string, version: string | null): Entry | undefined {
    return this.#services.get(service)?.get(requestType)?.byVersion.get(version);
  }

  /** Every version of a function, enabled or not. */
  versions(service: string, requestType: string): Entry[] {
    return [...(this.#services.get(service)?.get(requestType)?.byVersion.values() ?? [])];
  }

  put(entry: Entry): void {
    const { service, requestType, version } = entry.config;
    const types = getOrMake(this.#services, service, () => new Map<string, Versions<Entry>>());
    const versions = getOrMake(
      types,
      requestType,
      (): Versions<Entry> => ({
        byVersion: new Map(),
        latest: undefined,
      }),
    );
    if (!versions.byVersion.has(version)) this.#count++;
    versions.byVersion.set(version, entry);
    versions.latest = undefined;
  }

  /** @returns whether there was one */
  delete(service: string, requestType: string, version: string | null): boolean {
    const types = this.#services.get(service);
    const versions = types?.get(requestType);
    if (types === undefined || versions === undefined || !versions.byVersion.delete(version)) return false;
    this.#count--;
    versions.latest = undefined;
    if (versions.byVersion.size === 0) types.delete(requestType);
    if (types.size === 0) this.#services.delete(service);
    return true;
  }

  clear(): void {
    this.#services.clear();
    this.#count = 0;
  }

  services(): string[] {
    return [...this.#services.keys()];
  }

  /** Sets an entry's `disabled`. @returns the new entry, or undefined when there is none */
  setDisabled(service: string, requestType: string, version: string | null, disabled: boolean): Entry | undefined {
    const entry = this.find(service, requestType, version);
    if (entry === undefined) return undefined;
    const changed = { ...entry, config: { ...entry.config, disabled } };
    this.put(changed);
    return changed;
  }

  /** Every entry, or those of the named services. */
  *entries(services: Iterable<string> = this.#services.keys()): Generator<Entry> {
    for (const service of services) {
      for (const versions of this.#services.get(service)?.values() ?? []) yield* versions.byVersion.values();
    }
  }
}

function latestOf<Entry extends ConfigEntry>(byVersion: ReadonlyMap<string | null, Entry>): Entry | Missing {
  let best: Entry | undefined;
  let highest: semver.SemVer | null = null;
  for (const entry of byVersion.values()) {
    const { version, disabled } = entry.config;
    if (disabled) continue;
    const parsed = semver.parse(version);
    if (best !== undefined && !comesBefore(parsed, highest)) continue;
    best = entry;
    highest = parsed;
  }
  if (best !== undefined) return best;
  return byVersion.size === 0 ? "not_found" : "disabled";
}

/** Released versions before the unversioned one, that before pre-releases; among equals the higher by precedence. */
function comesBefore(version: semver.SemVer | null, other: semver.SemVer | null): boolean {
  const difference = rank(version) - rank(other);
  if (difference !== 0) return difference > 0;
  return version !== null && other !== null && semver.compareBuild(version, other) > 0;
}

function rank(version: semver.SemVer | null): number {
  if (version === null) return 1;
  return version.prerelease.length === 0 ? 2 : 0;
}

function getOrMake<Key, Value>(map: Map<Key, Value>, key: Key, make: () => Value): Value {
  let value = map.get(key);
  if (value === undefined) {
    value = make();
    map.set(key, value);
  }
  return value;
}
