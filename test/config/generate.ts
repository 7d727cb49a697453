import fc from 'fast-check';
import type {Case} from './both.ts';
import {everything, words} from './tables.ts';

/** Texts that mean something to some type, to interpolation or to quoting. */
const telling = [
  ...words(
    'true YES off 0 t 5 -1 +7 101 007 1_000 1__0 0x10 5.0 ٣ ６０ 1e3 .5 5. 1e-7 1e16 inf -Infinity nan 1_0.5 0.1 1.75',
  ),
  ...words('a,b a,,b , 1,2,x k:v k:v,k2:v2 k:v,k:w :v k a:true,b:no [a] {k:v} red Red green Blue %(text)s'),
  ...words(`"quoted" 'single' "open it's " ''`),
  ...words(
    `$text $${'{text}'} $alpha.text $${'{alpha.names}'} $beta.self $same $names $flag $rate $pairs $many $count`,
  ),
  ...words(
    '$numbers $rates $nope $alpha $DEFAULT.text $ALPHA.text $vendor.thing $lock_path $outer $some_path $Text $_hidden',
  ),
  ...words(
    '$old_name $oldest $beta.older $was_here $alpha.was_here $alpha.gone $old_group.regrouped $da_shed $number $default.text',
  ),
  ...words(
    String.raw`$$text \$text \\$text $$$text $1 $ $${'{'} $${'{text'} $text.conf $ſame $text/x -$same- $same$same`,
  ),
  ...words('node_1 UPPER.example -bad h..a h. 1.2.3.4 01.2.3.4 1.2.3 ::1 ::1%eth0 a_b.c-d 12_3 ünïcode 日本 \u{1f600}'),
  ...words('http://h:80/p http:// http://h/[ http://[::1]/ http://256.1.1.1 h:1 x://u:p@h:99999 http://h_1/%zz'),
  ...[' a , b ', '"a" "b"', 'x # no comment', 'a = b', '\u00a0nbsp\u00a0', '\u200b', 'tab\there', '\ufeff', '\x1c', ''],
];

const keys = [
  // Not moved_in: in [alpha] it would be an unknown option of the very name that oslo.config stumbles over.
  ...new Set(everything.map(({name}) => name).filter(name => name !== 'moved_in')),
  ...words('many_old many_older old_name older oldest da-shed da_shed was_here gone Text api-port'),
  ...words('number lock_path outer thing some_path _hidden a.b'),
];
const sections = [...words('DEFAULT DEFAULT alpha alpha ALPHA Alpha beta BETA default old_group vendor'), ' alpha '];

// Parts of Unicode that have not grown for long. What a newer Unicode adds, Node prints and an older Python escapes.
const ranges = words(
  'e-24f 660-669 2000-2029 3000-3020 4e00-9fa5 e000-e0ff fe00-fe0f feff-feff 1d7ce-1d7ff 1f600-1f64f',
);
const codes = ranges.map(range => {
  const [min = 0, max = 0] = range.split('-').map(hex => Number.parseInt(hex, 16));
  return fc.integer({min, max});
});
const letter = fc.oneof(...codes).map(code => String.fromCodePoint(code));

const fragment = fc.oneof(
  {weight: 8, arbitrary: fc.constantFrom(...telling)},
  {weight: 1, arbitrary: fc.string({unit: letter, maxLength: 6})},
  {weight: 1, arbitrary: fc.string({maxLength: 6})},
  {weight: 1, arbitrary: fc.integer().map(String)},
  {weight: 1, arbitrary: fc.double().map(number => number.toExponential())},
);

const value = fc.oneof(
  {weight: 6, arbitrary: fragment},
  {weight: 2, arbitrary: fc.array(fragment, {maxLength: 3}).map(parts => parts.join(''))},
  {weight: 1, arbitrary: fc.array(fragment, {maxLength: 3}).map(parts => parts.join(','))},
);

const separator = fc.constantFrom('=', ' = ', ' = ', ' = ', ':', ' : ', '\t=\t', ' =');
const indent = fc.constantFrom(' ', '  ', '\t', '    ');

const continuation = fc.tuple(indent, value).map(([space, text]) => `${space}${text}`);

const assignment = fc
  .tuple(fc.constantFrom(...keys), separator, value, fc.array(continuation, {maxLength: 2}))
  .map(([name, sign, text, more]) => [`${name}${sign}${text}`, ...(Math.abs(text.length) % 3 === 0 ? more : [])]);

const section = fc.constantFrom(...sections).map(name => [`[${name}]`]);

const odd = fc.constantFrom(
  '[]',
  '[alpha',
  '[alpha] # c',
  'no separator',
  '= x',
  ' stray',
  '[ ]',
  ':',
  '\u00a0',
  '\ufeff',
  ']',
);

const block = fc.oneof(
  {weight: 240, arbitrary: assignment},
  {weight: 96, arbitrary: section},
  {weight: 24, arbitrary: fc.constantFrom('# comment', '; comment', '#', '', '   ', '\t').map(line => [line])},
  {weight: 1, arbitrary: odd.map(line => [line])},
);

/** A file by the grammar, with a slip here and there. */
export const file: fc.Arbitrary<string> = fc
  .tuple(section, fc.array(block, {maxLength: 14}), fc.constantFrom('\n', '\n', '\n', '\r\n', '\r'))
  .map(([first, blocks, newline]) => [...first, ...blocks.flat(), ''].join(newline));

/** The same as bytes, with some of them changed, put in, taken out or doubled. */
export const brokenFile: fc.Arbitrary<Uint8Array> = fc
  .tuple(file, fc.array(fc.tuple(fc.nat(), fc.nat(3), fc.nat(255)), {minLength: 1, maxLength: 2}))
  .map(([text, changes]) => {
    const bytes = [...Buffer.from(text)];
    for (const [at, change, byte] of changes) {
      const index = at % (bytes.length + 1);
      // ASCII more often than not, or nearly every file would only fail to decode.
      const put = byte < 200 ? byte % 128 : byte;
      if (change === 0) bytes[index] = put;
      else if (change === 1) bytes.splice(index, 0, put);
      else if (change === 2) bytes.splice(index, 1 + (byte % 3));
      else bytes.splice(index, 0, ...bytes.slice(index, index + 1 + (byte % 20)));
    }
    return Uint8Array.from(bytes);
  });

// A multi option from the environment is one of the few places where we differ on purpose.
const variables = everything
  .filter(({type}) => type.kind !== 'multi')
  .map(({group, name}) => `OS_${group.toUpperCase()}__${name.toUpperCase()}`);

const environment = fc.dictionary(
  fc.constantFrom(...variables),
  fc
    .oneof(value, fc.constantFrom('', 'with\nnewline', 'h\n', ' true', 'http://h\n'))
    .map(text => text.replaceAll('\0', '')),
  {maxKeys: 2},
);

/** Files and directories on a command line, with an environment. */
export const someCase = (content: fc.Arbitrary<string | Uint8Array>): fc.Arbitrary<Case> =>
  fc
    .tuple(
      fc.array(content, {minLength: 1, maxLength: 3}),
      fc.array(content, {maxLength: 2}),
      environment,
      fc.boolean(),
    )
    .map(([single, inDir, env, dirFirst]) => {
      const files: Case['files'] = {'conf.d/': ''};
      for (const [index, text] of single.entries()) files[`${index}.conf`] = text;
      for (const [index, text] of inDir.entries()) files[`conf.d/${9 - index}.conf`] = text;
      const words = single.map((_text, index) => `--config-file=@/${index}.conf`);
      const argv = dirFirst ? ['--config-dir', '@/conf.d', ...words] : [...words, '--config-dir=@/conf.d'];
      return {files, argv, env};
    });
