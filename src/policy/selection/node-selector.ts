import type { FunctionName } from "../../core/function-name.ts";
import type { Clock } from "../../core/time/clock.ts";
import { RoundRobin } from "./round-robin.ts";
import {
  type ChooseNodeMode,
  peekNode,
  type SelectedRequest,
  type Selection,
  selectNode,
  selectOtherNode,
} from "./select-node.ts";
import { type StickyLimits, StickyTable } from "./sticky.ts";

/** The key for a FunConfig's turns and places, unique for any combination of names. */
export function functionKeyOf({ service, requestType, version }: FunctionName): string {
  return JSON.stringify([service, requestType, version]);
}

/** Selects the node for a request, and remembers whose turn it is and where each sticky key was placed. */
export class NodeSelector implements Selection {
  readonly random: () => number;
  readonly roundRobin = new RoundRobin();
  readonly sticky: StickyTable;

  /**
   * @param random returns a number in [0, 1), as `Math.random` does
   * @param limits bounds on remembered sticky keys
   */
  constructor(clock: Clock, random: () => number, limits?: StickyLimits) {
    this.random = random;
    this.sticky = new StickyTable(clock, limits);
  }

  /** See {@link selectNode}. */
  select(
    mode: ChooseNodeMode,
    functionKey: string,
    liveNodes: readonly string[],
    request: SelectedRequest,
  ): string | null {
    return selectNode(mode, functionKey, liveNodes, request, this);
  }

  /** See {@link peekNode}. */
  peek(
    mode: ChooseNodeMode,
    functionKey: string,
    liveNodes: readonly string[],
    request: SelectedRequest,
  ): string | null {
    return peekNode(mode, functionKey, liveNodes, request, this);
  }

  /** See {@link selectOtherNode}. */
  selectOther(mode: ChooseNodeMode, otherNodes: readonly string[], request: SelectedRequest): string | null {
    return selectOtherNode(mode, otherNodes, request, this.random);
  }

  /** Forgets the turns and places of a FunConfig that is no longer registered. */
  forget(functionKey: string): void {
    this.roundRobin.forget(functionKey);
    this.sticky.forget(functionKey);
  }

  /** Forgets everything. */
  clear(): void {
    this.roundRobin.clear();
    this.sticky.clear();
  }
}
