import type { AnyActorLogic, AnyActorRef } from "xstate";
import type { ChildSpec } from "../../src/actor/child-spec.ts";
import { fromDynamicSupervisor } from "../../src/actor/dynamic-supervisor.ts";
import { fromResource } from "../../src/actor/resource.ts";
import { fromSupervisor } from "../../src/actor/supervisor.ts";
import { type System, startSystem } from "../../src/actor/system.ts";
import { isGenApiError } from "../../src/core/errors.ts";
import { SimulatedClock } from "../support/simulated-clock.ts";
import { type Spec, shutdownMs } from "./otp-model.ts";

/** The real system, built from the same specs, with every worker's start and end noted. */
export class RealTree {
  readonly clock = new SimulatedClock();
  readonly log: string[] = [];
  readonly failing = new Map<string, number>();
  readonly system: System;
  closed: string | undefined;

  readonly #workers = { quick: this.#worker(false), stubborn: this.#worker(true) };

  constructor(spec: Spec) {
    const { strategy, intensity } = spec;
    const children = spec.children.map((child) => this.childSpec(child));
    this.system = startSystem({ name: spec.id, clock: this.clock, strategy, intensity, children });
    void this.system.closed.then(({ reason }) => {
      this.closed = reason;
    });
  }

  childSpec(spec: Spec): ChildSpec {
    const { id, restart } = spec;
    const graceful = spec.kind === "worker" ? shutdownMs : "infinity";
    return {
      id,
      name: id,
      restart,
      shutdown: spec.shutdown === "time" ? graceful : "brutal_kill",
      logic: this.#logic(spec),
    };
  }

  ref(id: string): AnyActorRef {
    const ref = id === this.system.name ? this.system.root : this.system.whereis(id);
    if (ref === undefined) throw new Error(`${id} is not alive`);
    return ref;
  }

  #logic(spec: Spec): AnyActorLogic {
    const { strategy, intensity } = spec;
    if (spec.kind === "worker") return spec.stubborn ? this.#workers.stubborn : this.#workers.quick;
    if (spec.kind === "dynamic") return fromDynamicSupervisor({ intensity });
    return fromSupervisor({ strategy, intensity, children: spec.children.map((child) => this.childSpec(child)) });
  }

  #worker(stubborn: boolean) {
    return fromResource<undefined, { type: string }>(({ self, finish, clock }) => {
      const { id } = self;
      const failures = this.failing.get(id) ?? 0;
      this.failing.set(id, Math.max(0, failures - 1));
      if (failures > 0) throw new Error(`${id} does not start`);
      this.log.push(`+${id}`);
      // A resource that is forgotten shows as a timer that is left.
      const held = clock.setTimeout(() => undefined, 1e12);
      return {
        close: () => {
          clock.clearTimeout(held);
          this.log.push(`-${id}`);
        },
        receive(event) {
          if (event.type === "finish") finish();
          if (event.type === "crash") throw new Error(`${id} crashed`);
        },
        ...(stubborn ? { shutdown: () => new Promise<void>(() => undefined) } : {}),
      };
    });
  }
}

/** "ok", or the code that a request was refused with. */
export async function codeOf(request: Promise<unknown>): Promise<string> {
  return request.then(
    () => "ok",
    (error) => (isGenApiError(error) ? error.code : String(error)),
  );
}
