import semver from "semver";
import { parseVersion } from "../core/semantic-version.ts";
import type { FunConfig } from "./fun-config.ts";

/** Who registered a function: the host program, a node that pushed it, or the node it was pulled from. */
export type RegisteredBy = "host" | "pushed" | "pulled";

/** A registered function: its configuration and everything compiled from it at registration. */
export interface ConfigEntry {
  readonly config: FunConfig;
  /** @default "host" */
  readonly origin?: RegisteredBy;
  /** Identifies the content that a node sent, without `nodes`; only for functions of nodes. */
  readonly contentHash?: string;
}

/** Whether the host program registered this function, so that nodes may not replace it. */
export function isOfHost({ origin = "host" }: ConfigEntry): boolean {
  return origin === "host";
}

/** Why a lookup found nothing. */
export type Missing = "not_found" | "disabled";

/** Whether a request leaves the version to the gateway: it names none, or the reserved `"0.0.0"`. */
export function namesNone(version: string | null): version is null | "0.0.0" {
  return version === null || version === "0.0.0";
}

interface Versions<Entry> {
  readonly byVersion: Map<string | null, Entry>;
  /** The versions for requests without one; undefined after a write that may have changed them, until the next read. */
  latest: readonly Entry[] | undefined;
}

/**
 * The table of registered functions. Services, request types and versions are keys of Maps, never property names.
 *
 * It only stores: the actor that owns the table checks and compiles functions first. Readers read directly.
 */
export class FunctionTable<Entry extends ConfigEntry> {
  readonly #services = new Map<string, Map<string, Versions<Entry>>>();
  #count = 0;

  /** The number of configurations; each version counts. */
  get count(): number {
    return this.#count;
  }

  /**
   * The function that a request names. Without a version, or with the reserved `"0.0.0"`, the latest: the highest
   * enabled version by semver precedence, otherwise the unversioned one, otherwise an enabled pre-release.
   */
  resolve(service: string, requestType: string, version: string | null): Entry | Missing {
    const versions = this.#services.get(service)?.get(requestType);
    if (versions === undefined) return "not_found";
    if (namesNone(version)) return latestOf(versions)[0] ?? "disabled";
    const entry = versions.byVersion.get(version);
    if (entry === undefined) return "not_found";
    return entry.config.disabled ? "disabled" : entry;
  }

  /**
   * Every version that requests without one may get: the latest, then those that would be the latest without it.
   * Contains no pre-release while anything else is enabled.
   */
  latest(service: string, requestType: string): readonly Entry[] {
    const versions = this.#services.get(service)?.get(requestType);
    return versions === undefined ? [] : latestOf(versions);
  }

  /** Whether the function is registered in any version, enabled or not. */
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

  /** @returns whether the entry existed */
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

  /**
   * Sets an entry's `disabled`.
   * @returns the new entry, or undefined if there is none
   */
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

function latestOf<Entry extends ConfigEntry>(versions: Versions<Entry>): readonly Entry[] {
  versions.latest ??= enabledOf(versions.byVersion.values());
  return versions.latest;
}

/** Released versions, the highest by precedence first, then the unversioned one; pre-releases only without any of them. */
function enabledOf<Entry extends ConfigEntry>(versions: Iterable<Entry>): readonly Entry[] {
  const enabled = Array.from(versions)
    .filter(({ config }) => !config.disabled)
    .map((entry) => ({ entry, version: versionOf(entry.config) }));
  const releases = enabled.filter(({ version }) => !isPreRelease(version));
  const eligible = releases.length > 0 ? releases : enabled;
  return eligible.sort((one, other) => precedence(other.version, one.version)).map(({ entry }) => entry);
}

function versionOf({ version }: FunConfig): semver.SemVer | null {
  return version === null ? null : parseVersion(version);
}

function isPreRelease(version: semver.SemVer | null): boolean {
  return version !== null && version.prerelease.length > 0;
}

/** By semver; build metadata decides between versions that are otherwise equal, so that one is always the latest. */
function precedence(one: semver.SemVer | null, other: semver.SemVer | null): number {
  if (one === null || other === null) return Number(one !== null) - Number(other !== null);
  return semver.compareBuild(one, other);
}

function getOrMake<Key, Value>(map: Map<Key, Value>, key: Key, make: () => Value): Value {
  let value = map.get(key);
  if (value === undefined) {
    value = make();
    map.set(key, value);
  }
  return value;
}
