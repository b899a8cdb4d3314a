// A plain model of OTP's supervision rules, in one thread and with a counter for a clock: it shares no code with src/.
// Children end in no time, except stubborn ones, which keep their supervisor waiting for the whole shutdown time.
import type { AutoShutdown, Intensity, RestartType, Strategy } from "../../../src/actor/supervisor/policy.ts";

type Kind = "worker" | "supervisor" | "dynamic";

export interface Spec {
  readonly id: string;
  readonly kind: Kind;
  readonly restart: RestartType;
  readonly shutdown: "brutal_kill" | "time";
  /** Does not end when asked to. Workers only. */
  readonly stubborn: boolean;
  readonly significant: boolean;
  readonly autoShutdown: AutoShutdown;
  /** Of a dynamic supervisor. */
  readonly maxChildren: number;
  readonly strategy: Strategy;
  readonly intensity: Intensity;
  readonly children: readonly Spec[];
}

export const shutdownMs = 100;

export interface Slot {
  readonly spec: Spec;
  node: Node | undefined;
  restarting: boolean;
  restarts: number;
}

export interface Node {
  readonly spec: Spec;
  readonly parent: Node | undefined;
  readonly slot: Slot | undefined;
  slots: Slot[];
  times: number[];
}

export class OtpModel {
  now = 0;
  readonly log: string[] = [];
  readonly failing = new Map<string, number>();
  root: Node | undefined;

  constructor(spec: Spec) {
    this.root = this.#start(spec, undefined, undefined);
  }

  /** Every living node, parents before children. */
  nodes(node = this.root): Node[] {
    if (node === undefined) return [];
    return [node, ...node.slots.flatMap((slot) => (slot.node === undefined ? [] : this.nodes(slot.node)))];
  }

  /** The end of a worker by itself: a crash, a normal end, or one in good order. */
  exit(node: Node, reason: "normal" | "shutdown" | "error"): void {
    this.#log("-", node.spec);
    this.#exited(node, reason);
  }

  kill(node: Node): void {
    this.#force(node);
    this.#exited(node, "killed");
  }

  startChild(supervisor: Node, spec: Spec): "ok" | "invalid_option" | "already_started" | "unavailable" | "failed" {
    const { kind, autoShutdown, maxChildren } = supervisor.spec;
    if (spec.significant && (kind === "dynamic" || autoShutdown === "never" || spec.restart === "permanent")) {
      return "invalid_option";
    }
    if (supervisor.slots.some((slot) => slot.spec.id === spec.id)) return "already_started";
    if (kind === "dynamic" && supervisor.slots.length >= maxChildren) return "unavailable";
    if (this.nodes().some((node) => node.spec.id === spec.id)) return "already_started";
    const slot: Slot = { spec, node: undefined, restarting: false, restarts: 0 };
    const node = this.#tryStart(spec, supervisor, slot);
    if (node === undefined) return "failed";
    slot.node = node;
    supervisor.slots.push(slot);
    return "ok";
  }

  terminateChild(supervisor: Node, id: string): "ok" | "not_found" {
    const slot = supervisor.slots.find(({ spec }) => spec.id === id);
    if (slot === undefined) return "not_found";
    this.#stopSlots([slot]);
    if (slot.spec.restart === "temporary" || supervisor.spec.kind === "dynamic") this.#forget(supervisor, slot);
    return "ok";
  }

  restartChild(supervisor: Node, id: string): "ok" | "not_found" | "already_started" | "failed" {
    const slot = this.#idle(supervisor, id);
    if (typeof slot === "string") return slot;
    slot.node = this.#tryStart(slot.spec, supervisor, slot);
    return slot.node === undefined ? "failed" : "ok";
  }

  deleteChild(supervisor: Node, id: string): "ok" | "not_found" | "already_started" {
    const slot = this.#idle(supervisor, id);
    if (typeof slot === "string") return slot;
    this.#forget(supervisor, slot);
    return "ok";
  }

  shutdown(): void {
    if (this.root !== undefined) this.#stop(this.root);
    this.root = undefined;
  }

  #idle(supervisor: Node, id: string): Slot | "not_found" | "already_started" {
    const slot = supervisor.slots.find(({ spec }) => spec.id === id);
    if (slot === undefined || supervisor.spec.kind === "dynamic") return "not_found";
    return slot.node === undefined && !slot.restarting ? slot : "already_started";
  }

  #log(sign: "+" | "-", spec: Spec): void {
    if (spec.kind === "worker") this.log.push(`${sign}${spec.id}`);
  }

  #forget(supervisor: Node, slot: Slot): void {
    supervisor.slots = supervisor.slots.filter((other) => other !== slot);
  }

  #tryStart(spec: Spec, parent: Node, slot: Slot): Node | undefined {
    try {
      return this.#start(spec, parent, slot);
    } catch {
      return undefined;
    }
  }

  #start(spec: Spec, parent: Node | undefined, slot: Slot | undefined): Node {
    const failures = this.failing.get(spec.id) ?? 0;
    this.failing.set(spec.id, Math.max(0, failures - 1));
    if (failures > 0) throw new Error(spec.id);
    this.#log("+", spec);
    const node: Node = { spec, parent, slot, slots: [], times: [] };
    for (const child of spec.children) {
      const childSlot: Slot = { spec: child, node: undefined, restarting: false, restarts: 0 };
      node.slots.push(childSlot);
      childSlot.node = this.#tryStart(child, node, childSlot);
      if (childSlot.node === undefined) {
        this.#force(node);
        throw new Error(child.id);
      }
    }
    return node;
  }

  #force(node: Node): void {
    for (const { node: child } of node.slots.toReversed()) if (child !== undefined) this.#force(child);
    this.#log("-", node.spec);
  }

  #stop(node: Node): void {
    if (node.spec.kind === "dynamic") this.#stopTogether(node.slots);
    else this.#stopSlots(node.slots);
    if (node.spec.stubborn) this.now += shutdownMs;
    this.#log("-", node.spec);
  }

  #stopSlots(slots: readonly Slot[]): void {
    for (const slot of slots.toReversed()) {
      const { node } = slot;
      slot.node = undefined;
      slot.restarting = false;
      if (node === undefined) continue;
      if (node.spec.shutdown === "brutal_kill") this.#force(node);
      else this.#stop(node);
    }
  }

  #stopTogether(slots: readonly Slot[]): void {
    const waited: Node[] = [];
    for (const { node } of slots.toReversed()) {
      if (node === undefined) continue;
      if (node.spec.stubborn && node.spec.shutdown === "time") waited.push(node);
      else this.#log("-", node.spec);
    }
    if (waited.length > 0) this.now += shutdownMs;
    for (const node of waited) this.#log("-", node.spec);
    for (const slot of slots) slot.node = undefined;
  }

  #exited(node: Node, reason: "normal" | "shutdown" | "error" | "killed"): void {
    const { parent, slot, spec } = node;
    if (parent === undefined || slot === undefined) {
      this.root = undefined;
      return;
    }
    slot.node = undefined;
    const isAbnormal = reason !== "normal" && reason !== "shutdown";
    if (spec.restart === "permanent" || (spec.restart === "transient" && isAbnormal)) {
      this.#restart(parent, slot);
      return;
    }
    if (spec.restart === "temporary" || parent.spec.kind === "dynamic") this.#forget(parent, slot);
    if (!spec.significant || parent.spec.autoShutdown === "never") return;
    const others = parent.slots.filter(
      (other) => other.spec.significant && (other.node !== undefined || other.restarting),
    );
    if (parent.spec.autoShutdown === "all_significant" && others.length > 0) return;
    this.#stopSlots(parent.slots);
    this.#exited(parent, "shutdown");
  }

  #restart(supervisor: Node, slot: Slot): void {
    const { maxRestarts, withinMs } = supervisor.spec.intensity;
    supervisor.times = [...supervisor.times.filter((time) => time >= this.now - withinMs), this.now];
    if (supervisor.times.length > maxRestarts) {
      slot.restarting = false;
      if (supervisor.spec.kind === "dynamic") this.#stopTogether(supervisor.slots);
      else this.#stopSlots(supervisor.slots);
      this.#exited(supervisor, "error");
      return;
    }
    const first = supervisor.slots.indexOf(slot);
    const affected = supervisor.slots.filter((other, index) => {
      if (supervisor.spec.kind === "dynamic" || supervisor.spec.strategy === "one_for_one") return other === slot;
      return supervisor.spec.strategy === "one_for_all" || index >= first;
    });
    this.#stopSlots(affected);
    for (const each of affected) if (each.spec.restart === "temporary") this.#forget(supervisor, each);
    for (const each of affected) {
      if (each.spec.restart === "temporary") continue;
      each.node = this.#tryStart(each.spec, supervisor, each);
      if (each.node === undefined) {
        each.restarting = true;
        this.#restart(supervisor, each);
        return;
      }
      each.restarting = false;
      each.restarts += 1;
    }
  }
}
