import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readPage } from "./tables.ts";

const root = new URL("../..", import.meta.url).pathname;
const page = readPage("docs/kubernetes.md");
const [, manifest = ""] = /```yaml\n([\s\S]*?)```/.exec(page) ?? [];

// They are installed for this test alone: as devDependencies they would double what every clone installs.
const dependencies = { "kubernetes-models": "4.5.1", yaml: "2.8.2" };

// biome-ignore lint/suspicious/noExplicitAny: whatever is in the page
type Resource = any;

let folder: string;
let resources: Resource[];
beforeAll(() => {
  const cache = join(root, "node_modules/.cache");
  mkdirSync(cache, { recursive: true });
  folder = mkdtempSync(join(cache, "kubernetes-"));
  writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true, type: "module", dependencies }));
  execFileSync("npm", ["install", "--no-audit", "--no-fund", "--loglevel=error"], { cwd: folder, stdio: "inherit" });
  const { parseAllDocuments } = required("yaml") as { parseAllDocuments(text: string): { toJS(): Resource }[] };
  resources = parseAllDocuments(manifest).map((document) => document.toJS());
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function required(name: string): unknown {
  return createRequire(join(folder, "package.json"))(name);
}

const find = (kind: string, name: string): Resource =>
  resources.find((resource) => resource.kind === kind && resource.metadata.name === name) ??
  expect.fail(`no ${kind} ${name}`);

test("each resource of the manifest is valid by the schemas of Kubernetes", () => {
  expect(resources.length).toBeGreaterThanOrEqual(9);
  for (const resource of resources) expect(faultOf(resource), resource.kind).toBeNull();
  const statefulSet = structuredClone(find("StatefulSet", "gateway"));
  statefulSet.spec.replicas = "three";
  expect(faultOf(statefulSet)).toContain("replicas must be integer");
});

function faultOf(resource: Resource): string | null {
  const models = required(`kubernetes-models/${resource.apiVersion}`) as Record<
    string,
    new (
      data: Resource,
    ) => Resource
  >;
  const Model = models[resource.kind] ?? expect.fail(`${resource.apiVersion} has no ${resource.kind}`);
  try {
    new Model(resource).validate();
    return null;
  } catch (thrown) {
    return (thrown as Error).message;
  }
}

test("no field of the manifest is one that Kubernetes does not know", () => {
  // The schemas let unknown fields pass; the types of the same package do not.
  expect(typeFaults(resources)).toEqual([]);
  const statefulSet = structuredClone(find("StatefulSet", "gateway"));
  statefulSet.spec.template.spec.containers[0].readynessProbe = {};
  expect(typeFaults([statefulSet])).toEqual([expect.stringContaining("readynessProbe")]);
});

function typeFaults(given: readonly Resource[]): string[] {
  const lines = given.flatMap((resource, place) => [
    `import type { I${resource.kind} as T${place} } from "kubernetes-models/${resource.apiVersion}";`,
    `export const r${place}: T${place} = ${JSON.stringify(resource)};`,
  ]);
  writeFileSync(join(folder, "manifest.ts"), lines.join("\n"));
  const args = ["--noEmit", "--strict", "--skipLibCheck", "--module", "nodenext", "--pretty", "false", "manifest.ts"];
  try {
    execFileSync(join(root, "node_modules/.bin/tsc"), ["--ignoreConfig", ...args], { cwd: folder, encoding: "utf8" });
    return [];
  } catch (thrown) {
    return (thrown as { stdout: string }).stdout.split("\n").filter((line) => line.startsWith("manifest.ts"));
  }
}

test("the manifest fits the programs: ports, names, secrets and times", () => {
  const gateway = find("StatefulSet", "gateway").spec;
  const [container] = gateway.template.spec.containers;
  const ports = Object.fromEntries(container.ports.map((port: Resource) => [port.name, port.containerPort]));
  expect(page).toContain(`listen: { host: "0.0.0.0", port: ${ports.clients} }`);
  expect(page).toContain(`link({ listen: { host: "0.0.0.0", port: ${ports.nodes} }`);
  for (const [name, port] of [
    ["gateway", "clients"],
    ["gateway-nodes", "nodes"],
  ] as const) {
    expect(find("Service", name).spec.ports[0].targetPort).toBe(port);
  }
  const [node] = find("Deployment", "orders").spec.template.spec.containers;
  const gateways = node.env.find(({ name }: Resource) => name === "GATEWAYS").value.split(",");
  const url = (n: number) => `ws://gateway-${n}.${gateway.serviceName}:${ports.nodes}/node`;
  expect(gateways).toEqual(Array.from({ length: gateway.replicas }, (_, n) => url(n)));
  const secrets = Object.keys(find("Secret", "gen-api").stringData);
  for (const { valueFrom } of [...container.env, ...node.env]) {
    if (valueFrom !== undefined) expect(secrets).toContain(valueFrom.secretKeyRef.key);
  }
  const [, notReadyMs = 0, drainMs = 0] = (/notReadyMs: ([\d_]+), drainMs: ([\d_]+)/.exec(page) ?? []).map((digits) =>
    Number(digits.replaceAll("_", "")),
  );
  expect(drainMs).toBeGreaterThan(0);
  expect(gateway.template.spec.terminationGracePeriodSeconds).toBeGreaterThan((notReadyMs + drainMs) / 1_000 + 15);
  const { periodSeconds, failureThreshold } = container.readinessProbe;
  expect(periodSeconds * failureThreshold * 1_000).toBeLessThan(notReadyMs);
});
