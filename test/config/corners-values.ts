import {words} from './tables.ts';

/** Texts that are given to every option of every type in turn. */
export const values: readonly string[] = [
  ...words('true TRUE Yes on 1 off No F t y ſ 2 red Red RED Blue blue green'),
  ...words('0 -0 +5 5.0 0x10 0b1 1e2 007 1_000 _1 1_ 1__0 100 101 -1 ٣ １２ ५ 𝟗 𝟘𝟙 ² ½ 9007199254740991 65535 65536'),
  ...words(
    '.5 5. . 1.5e 1e400 -1e400 1e-400 inf -inf +Infinity infinit nan -NaN 1_0.0_1 1_.5 1._5 1e1_0 0.0001 0.00001',
  ),
  ...words('1e22 0.1 1.7976931348623157e308 2.0 2.5 1e15 1e16 123456789012345.6 5e-324'),
  ...words('a,b a,b, a,b,, a,,b , ,, "a,b",c [a,b] 1,2 1,x x,1 1,,2 51,1 k:v k:v,k2:v2 k:v:w k k,l:v :v k: k:v, k:v,,'),
  ...words('k:v,k:w k:v,l a:on,b:off a:on,b:x,c:on'),
  ...[
    '',
    '- 5',
    '1 2',
    ' a , b ',
    'a\n  b,c',
    '1, 2,',
    ' k : v ',
    'x\u0000y',
    'a b',
    '1.2.3.4 x',
    'http://h h/',
    'http://h/a b',
  ],
  ...words(
    'node_1 UPPER.example 1.2.3.4 ::1 :: ::ffff:1.2.3.4 1::2::3 ::1%lo [::1] 1.2.3 1.2.3.4.5 256.1.1.1 01.2.3.4',
  ),
  ...words(
    '-bad bad- h..a .h h. h.. . h:1 _ _a a_ a_1.b a.1 a.1b 1_1 1-1 ünïcode ıİſK.a 12345:: a.- ::g 1:2:3:4:5:6:7::',
  ),
  ...['a'.repeat(63), 'a'.repeat(64), `${'a.'.repeat(126)}a`, `${'a.'.repeat(127)}a`, `${'a.'.repeat(126)}a.`],
  ...words(
    'http://h http://h/ http:/h http:h //h h/p HTTP://H 1http://h h+t.p-1://h http://h:80 http://h: http://h:123456',
  ),
  ...words(
    'http://h:x http://:80 http:// http:///p http://u@h http://u:p@h http://@h http://u@v@h http://h?q http://h#f',
  ),
  ...words('http://h?[] http://h/[ http://h/%zz http://h/é http://é/ http://h_1/ http://%41/ http://%4/ http://h\\p'),
  ...words('http://1.2.3.4/ http://1.2.3.256/ http://999.1.1.1.1/ http://[::1]/ http://[::1]:80/ http://[::1'),
  ...words('http://[1::2::3]/ http://[v1.a]/ http://[fe80::1%25eth0]/ http://[fe80::1%eth0]/ http://[::999.1.1.1]/'),
  ...words('http://[1:2:3:4:5:6:7:8]/ http://[1:2:3:4:5:6:7]/ http://[1:2:3:4:5:6:1.2.3.4]/ http://[::1:2:3:4:5:6:7]/'),
  ...words(
    'http://[1::3:4:5:6:7:8]/ http://[1:2:3:4:5:6:7::]/ http://[1:2::5:6:7:8]/ http://[]/ rabbit://u:p@h:1,u:p@i:2/',
  ),
];

/** A file with one reference in options of three sections, and with something to refer to. */
export const referring = (text: string): string => `[DEFAULT]
text = T
same = D
names = a, it's, "q"
flag = yes
rate = 1e-7
numbers = 1,,2
pairs = k:v
count = 5
many = x
lock_path = $vendor.thing
path = ${text}
[alpha]
same = A
flag = on
renamed = ${text}
[beta]
self = ${text}
[vendor]
thing = $text!
`;

/** Texts for `referring`. */
export const references: readonly string[] = [
  ...words(
    '$text &{text} $same $alpha.same &{alpha.same} $beta.text $nope &{nope} $alpha.nope $nope.nope $alpha &{alpha}',
  ),
  ...words(
    '$DEFAULT.text $DEFAULT $ALPHA.same $Alpha.same $Text $text$same $text.x $text-x &{text}.x $text. $.text &{.text}',
  ),
  ...words(
    '$$ $$text \\$text \\$$text \\\\$text $$$text $ a$ $1 &{ &{} &{text &{1} $_x $_ {$text} $$$$ $TEXT %(text)s',
  ),
  ...words(
    '$names $numbers $pairs $flag $alpha.flag $rate $count $many $alpha.many $size $host $url $color $alpha.names',
  ),
  ...words(
    '$lock_path $vendor.thing $vendor $vendor.nope $path $renamed $self $beta.self $alpha.renamed $old_name $oldest',
  ),
  ...words(
    '$beta.older $older $alpha.old_name $was_here $alpha.was_here $moved_in $gone $alpha.gone $beta.was_in_alpha',
  ),
  ...words(
    '$old_group.regrouped $regrouped $da_shed $dashed $alpha.da_shed $ſame $ıx $K $texté $alpha.text $alpha.same.x',
  ),
  ...words('$a.b.c &{alpha.names}$flag'),
  ...['$ text', '&{text }', '&{te xt}'],
].map(text => text.replaceAll('&{', () => '${'));
