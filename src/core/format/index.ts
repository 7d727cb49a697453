/** What a file is, and whether it may become a disk. */
export type {Detection, Finding, Rule, Signature} from './inspection.ts';
export {Inspector, type Report} from './inspector.ts';
export {
  type ConvertedFormat,
  type Early,
  judgeFormat,
  type QemuView,
  type ServedFormat,
  servedFormats,
  type Verdict,
} from './judge.ts';
