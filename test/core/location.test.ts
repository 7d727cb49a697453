/** Glance location urls, by the rules of nova/storage/rbd_utils.py `RBDDriver.parse_url`. */
import test from 'ava';
import fc from 'fast-check';
import {formatLocation, parseLocation} from '../../src/core/location.ts';

const parsed = (url: string) => {
  const result = parseLocation(url);
  return result.ok
    ? [result.location.fsid, result.location.pool, result.location.image, result.location.snapshot]
    : result.why;
};

test("upstream's good locations are read, quoted slashes included", t => {
  t.deepEqual(parsed('rbd://fsid/pool/image/snap'), ['fsid', 'pool', 'image', 'snap']);
  t.deepEqual(parsed('rbd://%2F/%2F/%2F/%2F'), ['/', '/', '/', '/']);
});

const bad = {
  'rbd://image': 'not an rbd snapshot',
  'http://path/to/somewhere/else': 'not stored in rbd',
  'rbd://image/extra': 'not an rbd snapshot',
  'rbd://image/': 'blank components',
  'rbd://fsid/pool/image/': 'blank components',
  'rbd://fsid/pool/image/snap/': 'blank components',
  'rbd://fsid/pool/image/snap/more': 'not an rbd snapshot',
  'rbd:///': 'blank components',
  'rbd://': 'blank components',
  'RBD://fsid/pool/image/snap': 'not stored in rbd',
  'rbd:/fsid/pool/image/snap': 'not stored in rbd',
  ' rbd://fsid/pool/image/snap': 'not stored in rbd',
  'rbd://fsid/pool/im%00age/snap': 'a NUL in a component',
  '': 'not stored in rbd',
};
for (const [url, why] of Object.entries(bad)) {
  test(`"${url}" is refused: ${why}`, t => t.is(parsed(url), why));
}

test('parts are split before they are unquoted, a plus stays a plus, and a query is part of the name', t => {
  t.deepEqual(parsed('rbd://f/a%2Fb/c+d/s?x=%3F'), ['f', 'a/b', 'c+d', 's?x=?']);
});

test("bytes that are no UTF-8, and a lone percent sign, are read as Python's unquote reads them", t => {
  t.deepEqual(parsed('rbd://f/%ff/%C3%A4%C3/100%25%2'), ['f', '\uFFFD', 'ä\uFFFD', '100%%2']);
  t.deepEqual(parsed('rbd://f/%C3a%A4/%zz/%'), ['f', '\uFFFDa\uFFFD', '%zz', '%']);
  t.deepEqual(parsed('rbd://f/%e2%82/%EF%BB%BFx/s'), ['f', '\uFFFD', '\uFEFFx', 's']);
});

test('the fsid keeps its case: to Ceph it is a text', t => {
  t.deepEqual(parsed('rbd://ABC-Def/p/i/s'), ['ABC-Def', 'p', 'i', 's']);
});

test('quoting leaves only what urllib.parse.quote(part, "") leaves', t => {
  const url = formatLocation({fsid: 'a-b.c_d~e', pool: "p !'()*", image: 'i/+%', snapshot: 'ß'});
  t.is(url, 'rbd://a-b.c_d~e/p%20%21%27%28%29%2A/i%2F%2B%25/%C3%9F');
});

test('what is formatted is read back, whatever is in the names', t => {
  const part = fc.string({unit: 'grapheme', minLength: 1}).filter(text => !text.includes('\0') && text.isWellFormed());
  fc.assert(
    fc.property(part, part, part, part, (fsid, pool, image, snapshot) => {
      t.deepEqual(parsed(formatLocation({fsid, pool, image, snapshot})), [fsid, pool, image, snapshot]);
    }),
  );
});

test('reading never throws, whatever the url', t => {
  fc.assert(fc.property(fc.string({unit: 'binary'}), text => typeof parseLocation(`rbd://${text}`).ok === 'boolean'));
  t.pass();
});
