// Makes one small change at a time in a file, a folder or a line of src, runs the nearest tests, and names the changes
// that no test noticed:
//
//   node test/support/mutants.js src/actor --sample 40 --seed 1
//   node test/support/mutants.js src/actor/supervisor/restart.ts:12 test/actor test/cluster
//
// A change is made in src and, without its types, in dist, because tests import both: build first. What was changed is
// put back however this ends.
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import ts from "typescript";

process.chdir(fileURLToPath(new URL("../..", import.meta.url)));

const comparisons = { "<": "<=", "<=": "<", ">": ">=", ">=": ">", "===": "!==", "!==": "===" };
const operators = { ...comparisons, "&&": "||", "||": "&&", "+": "-", "-": "+" };
const methods = { startsWith: "includes", endsWith: "includes", every: "some", some: "every", min: "max", max: "min" };

/** Every change of a file: what is replaced, from `start` to `end`, and by which text. */
function changesOf(file) {
  const source = ts.createSourceFile(file, readFileSync(file, "utf8"), ts.ScriptTarget.ESNext, true);
  const changes = [];
  const add = (node, text) => {
    const line = source.getLineAndCharacterOfPosition(node.getStart()).line + 1;
    changes.push({ file, line, start: node.getStart(), end: node.getEnd(), text, before: node.getText() });
  };
  const visit = (node) => {
    if (ts.isTypeNode(node) || ts.isInterfaceDeclaration(node) || ts.isImportDeclaration(node)) return;
    if (ts.isIfStatement(node)) {
      add(node.expression, `!(${node.expression.getText()})`);
      add(node.expression, "false");
    } else if (ts.isBinaryExpression(node)) {
      const { left, right, operatorToken } = node;
      const other = operators[operatorToken.getText()];
      const isText = other === "-" && [left, right].some(ts.isStringLiteralLike);
      if (other !== undefined && !isText) add(operatorToken, other);
      if (ts.isLogicalOrCoalescingBinaryOperator(operatorToken.kind)) {
        add(node, left.getText());
        if (operatorToken.kind !== ts.SyntaxKind.QuestionQuestionToken) add(node, right.getText());
      }
    } else if (ts.isConditionalExpression(node)) {
      add(node, `(${node.whenTrue.getText()})`);
      add(node, `(${node.whenFalse.getText()})`);
    } else if (ts.isNumericLiteral(node)) {
      add(node, `(${node.getText()} + 1)`);
    } else if (ts.isPropertyAccessExpression(node) && ts.isCallExpression(node.parent)) {
      const other = Object.hasOwn(methods, node.name.text) ? methods[node.name.text] : undefined;
      if (other !== undefined) add(node.name, other);
      if (node.getText() === "Object.create") add(node.parent, "{}");
    } else if (ts.isExpressionStatement(node) && isDroppable(node.expression)) {
      add(node, ";");
    } else if (ts.isReturnStatement(node) && node.parent.parent && ts.isIfStatement(node.parent.parent)) {
      add(node, ";");
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return changes;
}

function isDroppable(expression) {
  if (ts.isCallExpression(expression)) return expression.expression.kind !== ts.SyntaxKind.SuperKeyword;
  if (ts.isAwaitExpression(expression) || ts.isDeleteExpression(expression)) return true;
  if (ts.isPostfixUnaryExpression(expression) || ts.isPrefixUnaryExpression(expression)) return true;
  return ts.isBinaryExpression(expression) && !ts.isFunctionLike(expression.right);
}

const tsconfig = ts.readConfigFile("tsconfig.json", ts.sys.readFile).config;
const { options: compilerOptions } = ts.convertCompilerOptionsFromJson(tsconfig.compilerOptions, ".");

/** The files that a change stands in, by name, as they were before it. */
const originals = new Map();

function make({ file, start, end, text }) {
  const source = readFileSync(file, "utf8");
  const changed = source.slice(0, start) + text + source.slice(end);
  const output = file.replace(/^src/, "dist").replace(/ts$/, "js");
  originals.set(file, source).set(output, readFileSync(output, "utf8"));
  writeFileSync(file, changed);
  writeFileSync(output, ts.transpileModule(changed, { compilerOptions, fileName: file }).outputText);
}

function putBack() {
  for (const [file, source] of originals) writeFileSync(file, source);
  originals.clear();
}

/** The running tests, a process group of their own. */
let running;

/** Ends the tests, and what they have started: a change may have made it an endless loop. */
function endTests() {
  try {
    if (running !== undefined) process.kill(-running.pid, "SIGKILL");
  } catch (thrown) {
    // All of it has ended.
    if (thrown.code !== "ESRCH") throw thrown;
  }
}

process.on("exit", () => {
  putBack();
  endTests();
});
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => process.exit(1));

const options =
  "run --config test/vitest.config.ts --maxWorkers 1 --experimental.fsModuleCache --bail 1 --reporter json";
const vitest = ["node_modules/vitest/vitest.mjs", ...options.split(" ")];

/** Whether all of these tests pass, within `limitMs`. */
function pass(files, limitMs) {
  return new Promise((resolve) => {
    running = spawn(process.execPath, [...vitest, ...files], { stdio: "ignore", detached: true });
    const timer = setTimeout(endTests, limitMs);
    running.on("exit", (code) => {
      clearTimeout(timer);
      endTests();
      resolve(code === 0);
    });
  });
}

/** The folder of test/ that mirrors the file's own, or that of the next folder above it that has one. */
function nearestTests(file) {
  let folder = dirname(file).replace(/^src/, "test");
  while (!existsSync(folder)) folder = dirname(folder);
  return folder;
}

const known = new Map();

/** The test files of `filters`, in two groups: what takes a second or less, and what runs only if those notice nothing. */
function groupsOf(filters) {
  const key = filters.join(" ");
  if (known.has(key)) return known.get(key);
  const report = join(mkdtempSync(join(tmpdir(), "mutants-")), "report.json");
  const { status } = spawnSync(process.execPath, [...vitest, "--outputFile", report, ...filters]);
  if (status !== 0) throw new Error(`The tests of ${key} must pass before anything is changed`);
  const files = JSON.parse(readFileSync(report, "utf8")).testResults.map(({ name, startTime, endTime }) => {
    return { name, ms: endTime - startTime };
  });
  rmSync(dirname(report), { recursive: true });
  files.sort((a, b) => a.ms - b.ms);
  const quick = files.filter(({ ms }) => ms <= 1_000);
  const groups = [quick, files.slice(quick.length)].flatMap((group) => {
    const limitMs = 20_000 + 5 * group.reduce((sum, { ms }) => sum + ms, 0);
    return group.length === 0 ? [] : [{ files: group.map(({ name }) => name), limitMs }];
  });
  known.set(key, groups);
  return groups;
}

async function isNoticed(change, filters) {
  const groups = groupsOf(filters.length > 0 ? filters : [nearestTests(change.file)]);
  make(change);
  try {
    for (const { files, limitMs } of groups) if (!(await pass(files, limitMs))) return true;
    return false;
  } finally {
    putBack();
  }
}

/** The same few for the same seed, whatever else is in the files. */
function sample(changes, count, seed) {
  const orderOf = ({ file, before, text }) =>
    createHash("sha1").update(`${seed} ${file} ${before} ${text}`).digest("hex");
  const ordered = changes.map((change) => ({ change, order: orderOf(change) }));
  ordered.sort((a, b) => (a.order < b.order ? -1 : 1));
  return ordered.slice(0, count).map(({ change }) => change);
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { sample: { type: "string", default: "40" }, seed: { type: "string", default: "1" } },
});
const [target = "", ...filters] = positionals;
const [, path, line] = /^(.*?)\/?(?::(\d+))?$/.exec(target);
const files = statSync(path).isFile()
  ? [path]
  : readdirSync(path, { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".ts"))
      .sort()
      .map((name) => join(path, name));
const changes = files.flatMap(changesOf).filter((change) => line === undefined || change.line === Number(line));
const chosen = sample(changes, Number(values.sample), values.seed);
let tried = 0;
let noticed = 0;
process.on("exit", () => console.log(`${noticed} of ${tried} changes noticed (${changes.length} are possible)`));
for (const change of chosen) {
  if (await isNoticed(change, filters)) noticed++;
  else console.log(`${change.file}:${change.line}\n  - ${change.before}\n  + ${change.text}`);
  tried++;
}
