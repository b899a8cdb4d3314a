// The function that socket.bench calls; each of its servers runs it.
import { defineService } from "gen-api";

/** A post as it would be stored. */
export interface Post {
  readonly title: string;
  readonly likes: number;
  readonly published: boolean;
}

/** As little as a function can do: what is measured is the way to it and back. */
export function createPost({ title, likes, published }: Post): { id: number; title: string; visible: boolean } {
  return { id: likes + 1, title, visible: published };
}

/** The service "posts"; a thread finds the handler in it by importing this module. */
export const posts = defineService("posts", import.meta.url, {
  create_post: {
    args: { title: { type: "string", maxBytes: 200 }, likes: "num", published: "boolean" },
    checkPermission: "any_authenticated",
    handler: createPost,
  },
});
