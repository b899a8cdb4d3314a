/** One end of a connection between two gateways, each of which has proven that it is one. */
export interface PeerPipe {
  /** Sends a text of any length; those sent before the pipe is open follow then. Never throws. */
  send(text: string): void;
  /** Ends it on both sides. `closed` is not called on this one. */
  close(reason: string): void;
}

/** Receives the texts of a {@link PeerPipe}: each whole, and in the order in which they were sent. */
export interface PeerReceiver {
  /** At the end that dialed: the other gateway is there, and has proven that it is one. */
  opened?(): void;
  /** A throw ends the pipe. */
  received(text: string): void;
  /** The pipe has ended, otherwise than by this end; called once. */
  closed(end: PeerEnd): void;
}

/** How a pipe between gateways ended. */
export interface PeerEnd {
  /** For people. */
  readonly reason: string;
  /**
   * What this says about the other gateway: it has stopped for good; the medium knows no such gateway now; or nothing,
   * because this gateway itself is cut off.
   */
  readonly other: "gone" | "absent" | "unknown";
}

/** Who has a key: the gateway of this address. */
export interface Claim {
  readonly owner: string;
  /** What {@link Peers.claim} compares. */
  readonly revision: number;
}

/** The other gateways, as a transport reaches them. */
export interface Peers {
  /**
   * Opens a pipe to the gateway of this address.
   * @param address as a gateway gave it; anything else is `absent`
   */
  dial(address: string, receiver: PeerReceiver): PeerPipe;
  /**
   * Makes this gateway the owner of a key, unless another one is. Of several gateways, one succeeds.
   * @param key letters, digits, `_` and `-`
   * @param revision of the claim that may be replaced; 0 for none but this gateway's own
   * @returns the claim that holds now; rejects while the store of claims cannot be reached
   */
  claim(key: string, revision: number): Promise<Claim>;
  /** This gateway stops for good, and says so: the others need not wait for it. */
  leave(): void;
}

/** What a transport needs to know of its gateway to connect it with others. */
export interface PeerScope {
  /** By this others find it: random, and new for each process. 16 to 32 letters, digits, `_` and `-`. */
  readonly address: string;
  /** Another gateway has opened a pipe. */
  accepted(pipe: PeerPipe): PeerReceiver;
}

/** How long a claim is kept after it was made, or made again, milliseconds. */
export const claimTtlMs = 900_000;
