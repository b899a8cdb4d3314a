import semver from "semver";
/**
 * The table of registered functions. Services, request types and versions are keys of Maps, never property names.
 *
 * It only stores: checks and compilation happen before, in the actor that owns the table. Reads are direct.
 */
export class ConfigStore {
    #services = new Map();
    #count = 0;
    /** How many configurations there are, versions counted one by one. */
    get count() {
        return this.#count;
    }
    /**
     * The function that a request names. No version, or the reserved `"0.0.0"`, asks for the latest:
     * the highest enabled version by semver precedence, then the unversioned one, then an enabled pre-release.
     */
    resolve(service, requestType, version) {
        const versions = this.#services.get(service)?.get(requestType);
        if (versions === undefined)
            return "not_found";
        if (version === null || version === "0.0.0")
            return versions.latest;
        const entry = versions.byVersion.get(version);
        if (entry === undefined)
            return "not_found";
        return entry.config.disabled ? "disabled" : entry;
    }
    /** The entry with exactly this version, enabled or not. */
    find(service, requestType, version) {
        return this.#services.get(service)?.get(requestType)?.byVersion.get(version);
    }
    put(entry) {
        const { service, requestType, version } = entry.config;
        const types = getOrMake(this.#services, service, () => new Map());
        const versions = getOrMake(types, requestType, () => ({
            byVersion: new Map(),
            latest: "not_found",
        }));
        if (!versions.byVersion.has(version))
            this.#count++;
        versions.byVersion.set(version, entry);
        versions.latest = latestOf(versions.byVersion);
    }
    /** @returns whether there was one */
    delete(service, requestType, version) {
        const types = this.#services.get(service);
        const versions = types?.get(requestType);
        if (types === undefined || versions === undefined || !versions.byVersion.delete(version))
            return false;
        this.#count--;
        versions.latest = latestOf(versions.byVersion);
        if (versions.byVersion.size === 0)
            types.delete(requestType);
        if (types.size === 0)
            this.#services.delete(service);
        return true;
    }
    clear() {
        this.#services.clear();
        this.#count = 0;
    }
    services() {
        return [...this.#services.keys()];
    }
    /** Sets an entry's `disabled`. @returns the new entry, or undefined when there is none */
    setDisabled(service, requestType, version, disabled) {
        const entry = this.find(service, requestType, version);
        if (entry === undefined)
            return undefined;
        const changed = { ...entry, config: { ...entry.config, disabled } };
        this.put(changed);
        return changed;
    }
    /** Every entry, or those of the named services. */
    *entries(services = this.#services.keys()) {
        for (const service of services) {
            for (const versions of this.#services.get(service)?.values() ?? [])
                yield* versions.byVersion.values();
        }
    }
}
function latestOf(byVersion) {
    let best;
    for (const entry of byVersion.values()) {
        if (!entry.config.disabled && (best === undefined || comesBefore(entry.config.version, best.config.version)))
            best = entry;
    }
    if (best !== undefined)
        return best;
    return byVersion.size === 0 ? "not_found" : "disabled";
}
/** Released versions before the unversioned one, that before pre-releases; among equals the higher by precedence. */
function comesBefore(version, other) {
    const difference = rank(version) - rank(other);
    if (difference !== 0)
        return difference > 0;
    return version !== null && other !== null && semver.compareBuild(version, other) > 0;
}
function rank(version) {
    if (version === null)
        return 1;
    return semver.prerelease(version) === null ? 2 : 0;
}
function getOrMake(map, key, make) {
    let value = map.get(key);
    if (value === undefined) {
        value = make();
        map.set(key, value);
    }
    return value;
}
