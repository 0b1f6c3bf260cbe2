#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
# tlob report: what recordings add up to, the causes ranked, graphs, and files that are not what they should be.
# report.ndjson was made by hand: 6 late windows of a thread, 3 behind a kernel thread, 2 asleep behind a chain of two
# threads, 1 running; CPU samples of late and of 60 good windows, and where it slept.
use strict;
use warnings;
use Cwd;
use File::Temp qw(tempdir);
use FindBin;
use JSON::PP;
use MIME::Base64;
use Test::More;

my $recording = "$FindBin::Bin/report.ndjson";
chdir "$FindBin::Bin/../.." or die;
my $build = $ENV{TLOB_BUILD} // getcwd . '/build';
my $tlob = "$build/tlob";
my $dir = tempdir(CLEANUP => 1);
$ENV{COLUMNS} = 120;
$ENV{TZ} = 'UTC';

sub slurp {
	my ($file) = @_;
	open my $in, '<:raw', $file or return '';
	local $/;
	return <$in> // '';
}

sub spew {
	my ($name, @text) = @_;
	open my $out, '>:raw', "$dir/$name" or die;
	print $out @text;
	close $out;
	return "$dir/$name";
}

# Output, messages and exit status of a shell command.
sub run {
	my ($command) = @_;
	my $out = qx({ $command; } 2>$dir/stderr);
	return ($out, slurp("$dir/stderr"), $? >> 8);
}
sub report { return run("$tlob report $_[0]") }

my @lines = map { "$_\n" } split /\n/, slurp($recording);

subtest 'text' => sub {
	my ($out, $messages, $status) = report($recording);
	is $status, 0, 'status';
	is $messages, '', 'no messages';
	like $out, qr/^render +5ms +900 +6 .* 12\.0ms +0 +0 /m, 'a row of the table';
	like $out, qr/^mix +1ms +100 +0 /m, 'the other region';
	like $out, qr/^6 of 1,000 windows went over budget: 3 mostly waiting for a CPU, 2 mostly sleeping, 1 mostly running\./m,
		'the verdict';
	$out =~ s/\n(?=in |idct)/ /g;
	like $out, qr/^render was over budget 6 times: 3 waiting behind kworker\/1:2, 2 sleeping in futex until loader woke it, 1 running in idct<8, 8>\.$/m,
		'causes ranked; running names the function';
	like $out, qr/^ +3 +24\.0ms +89 % +9\.00ms  waiting behind kworker\/1:2$/m, 'windows, time, share, longest';
	like $out, qr/^The longest: 12\.0ms in thread painter 4243, tag 5, ended 2026-11-28 22:11:02\.313$/m, 'the longest window';
	like $out, qr/slept 10\.0ms in futex until loader\[4250\] woke it; loader slept 9\.00ms in futex until gc\[4251\] woke it; gc\s+was running 9\.00ms of that/,
		'and its chain';
	unlike $out, qr/deepest chain/, 'which is the deepest';
	($out) = report("--no-why $recording");
	unlike $out, qr/kworker/, '--no-why';
	like $out, qr/^render +5ms/m, 'leaves the table';
};

subtest 'choice' => sub {
	my ($out, undef, $status) = report("$recording --region 'm*'");
	is $status, 0, 'options may follow the file';
	like $out, qr/^mix/m, 'a region that matches';
	unlike $out, qr/^render/m, 'and no other';
	like +(report("$recording -r nothing"))[1], qr/no region matches 'nothing'/, 'none matches';
	is +(report("$recording -r nothing"))[2], 1, 'which is an error';
	($out) = report("$recording --sort name");
	like $out, qr/^mix.*^render/ms, '--sort name';
	($out) = report("$recording --sort max");
	like $out, qr/^render.*^mix/ms, '--sort max';
	($out) = report("$recording --top 1");
	unlike $out, qr/^mix/m, '--top: regions';
	like $out, qr/behind kworker\/1:2, 3\s+something else/, 'and causes';
	like +(report("$recording --sort mux"))[1], qr/did you mean max/, 'a wrong order';
	is +(report("$recording --top 0"))[2], 64, 'a wrong number';
	is +(report(''))[2], 64, 'no file';
};

subtest 'JSON' => sub {
	my ($out, undef, $status) = report("--json $recording");
	my @objects = map { decode_json($_) } split /\n/, $out;
	is_deeply [map { $_->{type} } @objects], [qw(region region report)], 'types';
	my ($render, undef, $all) = @objects;
	is $render->{overruns}, 6, 'overruns';
	is $render->{closed}, 6, 'those that ended';
	is_deeply [map { "$_->{count} $_->{reason}" } @{$render->{causes}}],
		['3 waiting behind kworker/1:2', '2 sleeping in futex until loader woke it', '1 running in idct<8, 8>'], 'causes';
	is $render->{causes}[0]{total_ns}, 24000000, 'time';
	is $render->{causes}[0]{elapsed_ns}, 27000000, 'of which';
	is $render->{causes}[1]{links}, 2, 'length of the chain';
	is $all->{elapsed_ns}, 2000000000, 'how long it was recorded';
	is $render->{at_most}, JSON::PP::false, 'percentiles are exact';
	my $page = slurp('man/tlob-json.5');
	my %known = map { $_ => 1 } map { split / , / } $page =~ /^\.It Cm (.*)$/mg;
	my %keys = map { $_ => 1 } map { (keys %$_, map { keys %$_ } @{$_->{causes} // []}) } @objects;
	is_deeply [grep { !$known{$_} } sort keys %keys], [], 'all fields are in tlob-json(5)';
};

subtest 'several files' => sub {
	my $louder = spew('louder', map { s/"budget_ns":5000000/"budget_ns":7000000/gr } @lines);
	my ($out, $messages, $status) = report("$recording $louder");
	is $messages, '', 'no messages';
	like $out, qr/^render +5ms-7ms +1,800 +12 +<=2\.10ms/m, 'counts are added, percentiles are not';
	$out =~ s/\n(?=kworker|sleeping|futex|until|loader|woke|it|running|in |idct)/ /g;
	like $out, qr/^render was over budget 12 times: 6 waiting behind kworker/m, 'causes are added';
	($out) = run("cat $recording $louder | $tlob report -");
	like $out, qr/^render +5ms-7ms +1,800 +12 /m, 'one after the other on standard input';
	is +(report("- - <$recording"))[2], 64, 'but not twice from there';
};

subtest 'files that are not whole' => sub {
	my @killed = @lines[0 .. 8];
	my ($out, $messages, $status) = report(spew('killed', @killed, substr $lines[9], 0, 200));
	is $status, 0, 'killed: status';
	like $messages, qr/has no end, and its last line is cut: tlob was killed/, 'it is said';
	like $out, qr/^render +5ms +\? +4 +-/m, 'overruns are counted from records';
	like $out, qr/^4 windows went over budget/m, 'of how many is not claimed';
	like $out, qr/^render was over budget 4 times: 3 waiting behind kworker/m, 'causes of those that ended';
	($out, $messages, $status) = report(spew('bad', @lines[0 .. 2], "{\"type\":\n", @lines[3 .. $#lines]));
	is $status, 0, 'a bad line: status';
	like $messages, qr/1 line is no JSON and left out, the first is 4/, 'it is said';
	like $out, qr/^6 of 1,000/m, 'the rest counts';
	($out, $messages, $status) = report(spew('headless', @lines[1 .. $#lines]));
	like $messages, qr/the beginning of '.*headless' is missing/, 'without its start';
	is $status, 0, 'it is still read';
};

subtest 'files that are not ours' => sub {
	my @cases = (
		['missing', undef, qr/cannot open '.*missing': No such file/],
		['empty', '', qr/is empty/],
		['junk', join('', map { chr(($_ * 7919) % 256) } 1 .. 5000), qr/is not what tlob writes with --json/],
		['text', "hello world\n", qr/line 1 is no JSON object but begins with 'hello world'/],
		['one', '{"type":"start"', qr/is not what tlob writes with --json/],
		['array', "[1,2]\n", qr/is not what tlob writes/],
		['other', "{\"a\":1}\n", qr/first object is not of type start/],
		['future', $lines[0] =~ s/"format":1/"format":2/r, qr/is in format 2 of tlob 0\.1\.0, this tlob \(.*\) reads format 1/],
		['timerlat', "{\"type\":\"start\",\"format\":1,\"command\":\"timerlat\"}\n", qr/timer latencies of tlob timerlat/],
		['doctor', "{\"type\":\"check\",\"engine\":\"bpf\"}\n", qr/what tlob doctor found/],
	);
	for (@cases) {
		my ($name, $text, $message) = @$_;
		my ($out, $messages, $status) = report(defined $text ? spew($name, $text) : "$dir/$name");
		like $messages, $message, "$name: message";
		is $status, 1, "$name: status";
		is $out, '', "$name: nothing else";
	}
	like +(report($dir))[1], qr/is a folder/, 'a folder';
	is +(report("$recording $dir/missing"))[0], '', 'one of several: no half report';
	my ($out, $messages, $status) = run("head -c 70000000 /dev/zero | $tlob report -");
	like $messages, qr/line 1 is longer than 64 MiB/, 'an endless line';
	is $status, 1, 'status';
	like +(report("$recording >/dev/full"))[1], qr/the output is incomplete: No space left/, 'a full disk';
};

# Values of the wrong kind, absent and huge ones: any report will do, as long as there is one.
subtest 'hostile values' => sub {
	my @values = ('null', 'true', '-1', '18446744073709551615', '1e300', '"x"', '[]', '{}', '[[{}]]', '{"comm":7}');
	my @bad;
	srand 5;
	for my $round (1 .. 25) {
		my $text = join '', @lines;
		for (1 .. 12) {
			my @places;
			push @places, [$-[1], $+[1]] while $text =~ /":("[^"]*"|[\d.]+|true|false|null|\[\]|\{[^{}]*\})/g;
			my ($from, $to) = @{$places[rand @places]};
			substr $text, $from, $to - $from, $values[rand @values];
		}
		my $file = spew('hostile', $text);
		for my $option ('', '--json', "--flame $dir/h.svg --of late,good,slept", "--flame-diff $dir/h.svg", '--folded -') {
			my (undef, $messages, $status) = report("$option $file");
			push @bad, "$round $option: $status $messages" if $status > 1 || $messages =~ /Sanitizer|runtime error/;
		}
	}
	is_deeply \@bad, [], 'no crash';
};

subtest 'no causes' => sub {
	my $file = spew('none', map { s/"why":\{.*?"segments_left_out":0\}/"why":null/r } @lines);
	my ($out, $messages, $status) = report($file);
	is $status, 0, 'without: status';
	like $out, qr/^render +5ms/m, 'the table is there';
	unlike $out, qr/was over budget/, 'no causes';
	($out, $messages, $status) = report("--why $file");
	is $status, 1, 'asked for: status';
	like $messages, qr/no window here has a cause: .*--why=none/, 'message';
};

# What is wrong with an SVG: tags that do not match, text that is not escaped, anything from elsewhere.
sub wrong_svg {
	my ($text) = @_;
	my (@open, @wrong);
	return 'empty' if $text !~ s/^<\?xml[^>]*\?>\s*//;
	push @wrong, 'no script' if $text !~ s/<script><!\[CDATA\[.*?\]\]><\/script>//s;
	push @wrong, "reference: $1" if $text =~ /((?:href=|src=|url\(|\@import)[^>]*)/;
	while ($text =~ /\G([^<]*)<(\/?)([a-z]+)((?: [a-zA-Z-]+="[^"<]*")*)\/?(?<self>\/)?>/gc) {
		my ($before, $close, $name) = ($1, $2, $3);
		push @wrong, "entity in $before" if $before =~ /&(?!#)/;
		next if substr($text, pos($text) - 2, 1) eq '/';
		$close ? (pop @open // '') eq $name || push @wrong, "</$name>" : push @open, $name;
	}
	push @wrong, 'rest: ' . substr $text, pos($text) // 0, 40 if substr($text, pos($text) // 0) =~ /\S/;
	push @wrong, "open: @open" if @open;
	push @wrong, 'control characters' if $text =~ /[\x00-\x08\x0b-\x1f]/;
	return @wrong;
}

# Titles of frames by name, in one panel.
sub hovers {
	my ($svg, $panel) = @_;
	my @panels = $svg =~ /<g class="p">(.*?)\n<\/g>\n/sg;
	return map { /^([^\n]*)\n(.*)/s ? ($1 => $2) : () } $panels[$panel] =~ /<title>(.*?)<\/title>/sg;
}

subtest 'graphs' => sub {
	my ($out, $messages, $status) = report("$recording --flame $dir/a.svg");
	my $svg = slurp("$dir/a.svg");
	is "$status$messages$out", '0', 'status';
	is_deeply [wrong_svg($svg)], [], 'well-formed, self-contained';
	my %late = hovers($svg, 0);
	my %good = hovers($svg, 1);
	is $late{'idct&#60;8, 8&#62; (inlined)'}, "9.00ms, 40.9 %, 1.50ms each window\nidct.h, /usr/lib/libcodec.so.3", 'a late frame';
	is $good{'idct&#60;8, 8&#62; (inlined)'}, "20.0ms, 40.0 %, 333us each window\nidct.h, /usr/lib/libcodec.so.3", 'a good one';
	ok !exists $good{clear_page_erms}, 'what only late ones do';
	like $svg, qr/6 windows ran 22\.0ms, 3\.67ms each/, 'how many windows';

	report("$recording --flame $dir/s.svg --of slept");
	my %slept = hovers(slurp("$dir/s.svg"), 0);
	like $slept{texture_get}, qr/^19\.0ms, 100\.0 %, 9\.50ms each window/, 'where it slept';

	($out, $messages, $status) = report("$recording --flame-diff $dir/d.svg");
	$svg = slurp("$dir/d.svg");
	is_deeply [wrong_svg($svg)], [], 'difference: well-formed';
	my %both = hovers($svg, 0);
	like $both{memset}, qr/^\+333us: 333us in a late window, 0ns in a good one/, 'more in late windows';
	like $both{'std::vector&#60;Row, std::allocator&#60;Row&#62; &#62;::push_back (inlined)'},
		qr/^[+-]0ns: 333us in a late window, 333us in a good one/, 'the same in both';
	like $svg, qr/fill="#e05c48"/, 'red';

	my $twice = spew('twice', map { s/"sample_good_share":15/"sample_good_share":150/r =~ s/"sampled_windows":40/"sampled_windows":6/r } @lines);
	report("$twice --flame-diff $dir/d.svg");
	like {hovers(slurp("$dir/d.svg"), 0)}->{blit}, qr/^-\d/, 'less in late windows';
	like slurp("$dir/d.svg"), qr/fill="#4894cc"/, 'blue';

	my $odd = spew('odd', map { s/"decode_row"/"<\/title>&\\"\\u0007\\u00e4]]><script>"/gr } @lines);
	report("$odd --flame $dir/o.svg");
	is_deeply [wrong_svg(slurp("$dir/o.svg"))], [], 'odd names are escaped';
	like slurp("$dir/o.svg"), qr/&#60;\/title&#62;&#38;&#34;&#xfffd;\xc3\xa4\]\]&#62;&#60;script&#62;/, 'and there';
};

subtest 'folded' => sub {
	my ($out) = report("--folded - $recording");
	is $out, <<'END', 'late';
render;__libc_start_call_main;main;render;blit 5000
render;__libc_start_call_main;main;render;blit;std::vector<Row, std::allocator<Row> >::push_back_[i] 2000
render;__libc_start_call_main;main;render;decode;decode_row 4000
render;__libc_start_call_main;main;render;decode;decode_row;idct<8, 8>_[i] 9000
render;__libc_start_call_main;main;render;decode;decode_row;memset;asm_exc_page_fault_[k];handle_mm_fault_[k];clear_page_erms_[k] 2000
END
	($out) = report("--folded - --of slept $recording");
	is $out, "render;__libc_start_call_main;main;render;texture_get;pthread_mutex_lock;__lll_lock_wait;do_futex_[k];futex_wait_queue_[k] 19000\n",
		'slept';
	is +(report("--folded - --of late,good $recording"))[2], 64, 'one kind at a time';
	is +(report("--folded - --of lite $recording"))[2], 64, 'a kind that does not exist';
	my $bare = spew('bare', map { s/,"samples":\[.*\]//r =~ s/"stacks":\[.*?\]\}\]//r } grep { !/"profile"/ } @lines);
	for ("--folded $dir/x", "--flame $dir/x", "--flame-diff $dir/x", "--flame $dir/x --of slept") {
		my (undef, $messages, $status) = report("$_ $bare");
		like $messages, qr/nothing to write to '.*x': no .*: record with --why=/, "$_: none";
		is $status, 1, 'status';
	}
	ok !-e "$dir/x", 'no empty file is left';
	my (undef, $messages, $status) = report("--folded $dir/no/such $recording");
	like $messages, qr/cannot write '.*such': No such file/, 'a folder that does not exist';
	is $status, 1, 'status';
	like +(report("--flame /dev/full $recording"))[1], qr/cannot write '\/dev\/full': No space left/, 'a full disk';
};

# Events of a trace; says what no viewer could draw: slices of a track that lie across each other, parts that begin and do not end.
sub traced {
	my ($text) = @_;
	my @events = @{decode_json($text)->{traceEvents}};
	my (%open, %depth, @wrong);
	for my $e (grep { $_->{ph} eq 'X' } @events) {
		my $stack = $open{"$e->{pid} $e->{tid}"} //= [];
		pop @$stack while @$stack && $stack->[-1] <= $e->{ts} + 1e-6;
		push @wrong, "$e->{name} at $e->{ts}" if @$stack && $e->{ts} + $e->{dur} > $stack->[-1] + 1e-3;
		push @$stack, $e->{ts} + $e->{dur};
	}
	for my $e (grep { $_->{ph} =~ /^[be]$/ } @events) {
		push @{$depth{$e->{id}}}, $e->{name} if $e->{ph} eq 'b';
		push @wrong, "$e->{name} ends" if $e->{ph} eq 'e' && (pop @{$depth{$e->{id}}} // '') ne $e->{name};
	}
	push @wrong, map { @{$depth{$_}} ? "$_ is open" : () } keys %depth;
	is_deeply \@wrong, [], 'it can be drawn';
	return @events;
}

subtest 'trace' => sub {
	my ($out, $messages, $status) = report("--trace $dir/t.json $recording");
	is "$out$messages$status", '0', 'instead of text';
	my @events = traced(slurp("$dir/t.json"));
	my @windows = grep { ($_->{cat} // '') eq 'window' } @events;
	is scalar @windows, 6, 'each late window';
	is_deeply [@{$windows[0]}{qw(name pid tid ts dur)}], ['render', 4242, 4243, 13167382913.026, 8000], 'where and when';
	is $windows[0]{args}{reason}, 'waiting behind kworker/1:2', 'and why';
	is scalar(grep { $_->{ph} eq 'i' && $_->{name} eq 'render: 5.00ms are over' } @events), 6, 'when the budget was used up';
	is_deeply [map { "$_->{name} $_->{dur}" } (grep { $_->{ph} eq 'X' } @events)[1, 2]],
		['waiting behind kworker/1:2 7000', 'running 1000'], 'what it went into';
	my %parts;
	for (grep { $_->{ph} eq 'X' && $_->{cat} ne 'window' } @events) { $parts{$_->{cat}} += $_->{dur} }
	is_deeply \%parts, {behind => 24000, running => 15000, woken => 19000}, 'in all';
	is_deeply {map { $_->{name} => $_->{args}{name} } grep { $_->{ph} eq 'M' } @events},
		{process_name => 'player', thread_name => 'painter 4243'}, 'whose';
	like +(grep { $_->{args}{stacks} } @windows)[0]{args}{stacks}[0], qr/^slept \S+ in .* < main/, 'stacks';

	my $outer = $lines[2] =~ s/"start_ns":13167382913026,"elapsed_ns":8000000/"start_ns":13167381913026,"elapsed_ns":10000000/r;
	report("--trace $dir/t.json " . spew('nested', @lines[0 .. 2], $outer));
	@windows = grep { ($_->{cat} // '') eq 'window' } traced(slurp("$dir/t.json"));
	is $windows[0]{tid}, 4243, 'a window within another: the inner one on the track of the thread,';
	cmp_ok $windows[1]{tid}, '>', 1 << 22, 'the outer one on a track of its own';

	my $crossing = '{"type":"close","region":"way","program":"srv","pid":7,"tid":8,"comm":"in","tag":5,"window":9,"budget_ns":1000,'
		. '"start_ns":10000,"elapsed_ns":9000,"transit":true,"why":null,"stages":[{"region":"a","wait_ns":0,"begun":true,"ended":true,'
		. '"begin_ns":0,"took_ns":2000},{"region":"b","wait_ns":3000,"begun":true,"ended":false,"begin_ns":5000,"took_ns":9000}]}';
	report("--trace $dir/t.json " . spew('crossing', $lines[0], "$crossing\n"));
	is_deeply [map { "$_->{ph} $_->{name} $_->{ts}" } grep { $_->{ph} =~ /[be]/ } traced(slurp("$dir/t.json"))],
		['b way 10', 'b a 10', 'e a 12', 'b before b 12', 'e before b 15', 'b b 15', 'e b 19', 'e way 19'], 'a chain, and its stages';

	my $odd = $lines[2] =~ s/"start_ns":\d+,"end_ns":\d+/"start_ns":1,"end_ns":18446744073709551615/gr
		=~ s/"elapsed_ns":8000000/"elapsed_ns":18446744073709551615/r =~ s/"render"/"<\"\\u0007"/r;
	report("--trace $dir/t.json " . spew('odd', $lines[0], $odd));
	traced(slurp("$dir/t.json"));

	unlink "$dir/t.json";
	($out, $messages, $status) = report("--trace $dir/t.json " . spew('good', $lines[0], $lines[-1]));
	like $messages, qr/nothing to write to '.*t\.json': no window was late/, 'nothing to draw';
	is $status, 1, 'which is an error';
	ok !-e "$dir/t.json", 'and no file';
	like +(report("--trace /dev/full $recording"))[1], qr/cannot write '\/dev\/full': No space left/, 'a full disk';
	like +(report("--trace $dir/no/such $recording"))[1], qr/cannot write '.*such': No such file/, 'a folder that does not exist';
	($out) = report("--trace - --folded $dir/t.folded $recording");
	is scalar(traced($out)), 2 + 6 + 6 + 11, 'to standard output';
	ok -s "$dir/t.folded", 'with a graph';
};

subtest 'html' => sub {
	my ($out, $messages, $status) = report("--html $dir/r.html $recording");
	is "$out$messages$status", '0', 'instead of text';
	my $page = slurp("$dir/r.html");
	like $page, qr/<h1>6 of 1,000 windows went over budget</, 'the verdict';
	like $page, qr/<a href="#r0">render<.*?>player<.*?>5\.00ms<.*?>900<.*?class=over>6<.*?>2\.10ms<.*?>12\.0ms</, 'a row of the table';
	like $page, qr/<h2 id=r0>render .*<td class=l>waiting behind kworker\/1:2<\/td><td>3<.*<td class=l>running in idct&#60;8, 8&#62;<\/td><td>1</s, 'causes ranked';
	like $page, qr/The longest: 12\.0ms in thread painter 4243, tag 5; sleeping in futex until loader woke it/, 'the longest window';
	my ($bar) = $page =~ /<div class=bar>(.*?)<\/div>/;
	is_deeply [$bar =~ /class=(\w+) style="flex:(\d+)" title="([^"]*)"/g],
		['sleeping', 10000000, '10.0ms sleeping in futex until loader woke it', 'running', 2000000, '2.00ms running'], 'from begin to end';
	like $page, qr/<li>slept 10\.0ms in futex_wait_queue .* main/, 'and its stacks';
	my ($svg) = $page =~ /src="data:image\/svg\+xml;base64,([A-Za-z0-9+\/]+={0,2})"/;
	is_deeply [wrong_svg(decode_base64($svg // ''))], [], 'the flame graph';
	like decode_base64($svg // ''), qr/Late windows, on the CPU.*Windows within budget.*Late windows, asleep/s, 'of all stacks there are';
	is scalar(() = $page =~ /(?:src|href)="(?!data:|#)/g), 0, 'nothing else is needed';

	my $odd = spew('odd', map { s/"render"/"<\/title>&\\"\\u0007'><script>"/gr } @lines);
	report("--html $dir/o.html $odd");
	unlike slurp("$dir/o.html"), qr/<script/, 'odd names are escaped';
	like slurp("$dir/o.html"), qr/&#60;\/title&#62;&#38;&#34;&#xfffd;&#39;&#62;&#60;script&#62;/, 'and there';
	my $cut = spew('cut', map { s/\{"start_ns":\d+,"end_ns":\d+,"cause":"running"[^{}]*\}//gr =~ s/,\]/]/gr } @lines);
	report("--html $dir/c.html $cut");
	like slurp("$dir/c.html"), qr/class=unknown style="flex:2000000" title="2\.00ms not recorded"/, 'what is not in the file is no part of what is';

	($out) = report("--html - --top 1 --no-why $recording");
	unlike $out, qr/mix|<h2 id/, '--top, --no-why';
	($out) = report("--html - " . spew('killed', @lines[0 .. 8]));
	like $out, qr/<h1>4 windows went .*1 without end.*<td>\?</s, 'a session without end: how many there were is not claimed';
	my $louder = spew('louder', map { s/5000000,"start_ns/7000000,"start_ns/gr } @lines);
	($out) = report("--html - $recording $louder");
	like $out, qr/5\.00ms-7\.00ms<.*?&le;2\.10ms/, 'several files';
	like +(report("--html /dev/full $recording"))[1], qr/cannot write '\/dev\/full': No space left/, 'a full disk';
	is +(report("--html $dir/no/such $recording"))[2], 1, 'a folder that does not exist';
};

# Memory for what is different, not for what is long: 100,000 events in 64 MiB of address space beyond the program's own.
subtest 'a long recording' => sub {
	plan skip_all => 'sanitizers need address space of their own' if $build =~ m{/(san|tsan)$};
	my ($overrun, $close) = map { spew("event$_", $lines[$_]) } 1, 2;
	my ($out, $messages, $status) = run("{ head -n 1 $recording; yes \"\$(cat $close)\" | head -n 100000; tail -n 1 $recording; } |"
		. " (ulimit -v 131072; $tlob report -)");
	is $status, 0, 'status';
	like $out, qr/: 100,000 late windows$/m, 'all of them' or diag $messages;
};

subtest 'a real recording' => sub {
	my $why = qx($tlob doctor --usable bpf 2>&1);
	plan skip_all => "engine bpf: $why" if $?;
	my $said = qx($tlob run -q -j $dir/real -- $build/examples/hello 2>&1);
	my ($out, $messages, $status) = report("$dir/real");
	is "$status$messages", '0', 'status';
	my ($row) = $said =~ /^(answer .*)$/m;
	like $out, qr/^\Q$row\E$/m, 'its table is the session\'s own';
	my ($ranked) = $said =~ /^(answer was over budget .*)$/m;
	like $out, qr/^\Q$ranked\E$/m, 'so are its causes';
};
done_testing;
