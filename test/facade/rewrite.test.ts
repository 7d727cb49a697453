import test from 'ava';
import type {Offer} from '../../src/core/offer.ts';
import {rewriteRecord} from '../../src/facade/rewrite.ts';
import {imageJson, imageUrl} from '../helpers/glance-image.ts';

const offer: Offer = {fsid: 'f-1', pool: 'a b/c', image: 'id.0123', snapshot: 'snap', raw: true};
const ours = '{"url": "rbd://f-1/a%20b%2Fc/id.0123/snap", "metadata": {}}';

test('our location comes first, and not another byte is changed', t => {
  const text = JSON.stringify(imageJson());
  const theirs = `{"url":"${imageUrl}","metadata":{}}`;
  t.is(rewriteRecord(text, offer), text.replace(`[${theirs}]`, `[${ours}, ${theirs}]`));
});

test('a format that is not raw is said to be raw; names and values that look alike are left alone', t => {
  const text =
    '{"x": "\\"disk_format\\": \\"qcow2\\"", "d": {"disk_format": "qcow2", "locations": []}, "disk_format" :  "qcow2" , "l": ["locations", "]"], "locations" : [ ], "z": 1}';
  t.is(
    rewriteRecord(text, offer),
    text
      .replace('"disk_format" :  "qcow2"', '"disk_format" :  "raw"')
      .replace('"locations" : [ ]', `"locations" : [${ours} ]`),
  );
});

for (const [what, text, expected] of [
  ['no locations', '{"disk_format": "raw", "id": "x"}', `{"disk_format": "raw", "id": "x", "locations": [${ours}]}`],
  ['an empty object', '{}', `{"locations": [${ours}]}`],
  ['locations that are null', '{"locations": null,"a":1}', `{"locations": [${ours}],"a":1}`],
  ['no format', '{"disk_format": null, "locations": []}', `{"disk_format": "raw", "locations": [${ours}]}`],
  [
    'metadata',
    '{"locations": [{"url": "file:///a]", "metadata": {"k": ["]"]}}]}\n',
    `{"locations": [${ours}, {"url": "file:///a]", "metadata": {"k": ["]"]}}]}\n`,
  ],
  ['white space', ' {\n "locations" : [\n ] }\n', ` {\n "locations" : [${ours}\n ] }\n`],
  [
    'escapes in a name',
    '{"disk\\u005fformat": "qcow2", "locations": []}',
    `{"disk\\u005fformat": "raw", "locations": [${ours}]}`,
  ],
  [
    'numbers beyond a double',
    '{"size": 12345678901234567890, "locations": []}',
    `{"size": 12345678901234567890, "locations": [${ours}]}`,
  ],
  ['names that are numbers', '{"2": "b", "1": "a", "locations": []}', `{"2": "b", "1": "a", "locations": [${ours}]}`],
] as const) {
  test(`a record with ${what}`, t => {
    const result = rewriteRecord(text, offer);
    t.is(result, expected);
    t.notThrows(() => JSON.parse(result));
  });
}

test('bytes that are not ASCII stay what they are', t => {
  const text = '{"name": "é\u{1f4be}\\u00e9", "locations": [], "disk_format": "qcow2"}';
  const result = rewriteRecord(Buffer.from(text).toString('latin1'), offer);
  t.is(JSON.parse(Buffer.from(result, 'latin1').toString()).name, 'é\u{1f4be}é');
});
