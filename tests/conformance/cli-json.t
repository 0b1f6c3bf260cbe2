#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
# The objects of --json: each line is one, with exactly the fields that tlob-json(5) gives its type, in the right kind
# of value, whatever names a program uses.
use strict;
use warnings;
use B ();
use Cwd;
use File::Temp qw(tempdir);
use FindBin;
use JSON::PP;
use Test::More;

chdir "$FindBin::Bin/../.." or die;
my $build = $ENV{TLOB_BUILD} // getcwd . '/build';
my $tlob = "$build/tlob";
my $dir = tempdir(CLEANUP => 1);

# Fields by section of the page.
sub documented {
	my (%fields, $section);
	open my $page, '<', 'man/tlob-json.5' or die;
	while (<$page>) {
		$section = $1 if /^\.Sh (.*)/;
		$section = 'REGIONS' if /^Fields of an object in/;
		$section = 'REASONS' if /^Fields of a reason/;
		push @{$fields{$section}}, split / , / , $1 if /^\.It Cm (.*)/;
	}
	return %fields;
}
my %fields = documented();
my %only_close = map { $_ => 1 } qw(abandoned cancelled sampled samples);
my %only_transit = map { $_ => 1 } qw(end_tid); # of windows from thread to thread, of which there are none here
my %expected = (
	start => $fields{START},
	overrun => [grep { !$only_close{$_} && !$only_transit{$_} } @{$fields{'OVERRUN AND CLOSE'}}],
	close => [grep { !$only_transit{$_} } @{$fields{'OVERRUN AND CLOSE'}}],
	profile => $fields{PROFILE},
	summary => $fields{SUMMARY},
	end => $fields{END},
	check => $fields{CHECK},
	engine => $fields{ENGINE},
);

sub kind {
	my ($value) = @_;
	return 'null' unless defined $value;
	return 'bool' if JSON::PP::is_bool($value);
	return lc ref $value if ref $value;
	return B::svref_2object(\$value)->FLAGS & (B::SVf_IOK | B::SVf_NOK) ? 'number' : 'string';
}

# The kind of value that a field's name promises.
my %strings = map { $_ => 1 } qw(type version command engine region program comm state file binary start stop
	start_probe stop_probe onward what found remedy sample_clock);
my %bools = map { $_ => 1 } qw(at_stop estimated spoiled probe transit ok needed usable interrupts);
sub promised {
	my ($type, $field) = @_;
	return 'array' if $field =~ /^(argv|regions|reasons|stacks|samples)$/;
	return 'string' if $type eq 'profile' && $field eq 'windows';
	return 'number' if $field eq 'sampled';
	return 'bool' if $bools{$field} || ($type eq 'close' && $only_close{$field});
	return 'hash' if $field eq 'why';
	return $strings{$field} ? 'string' : 'number';
}

sub wrong_values {
	my ($type, $object) = @_;
	my @wrong;
	for my $field (sort keys %$object) {
		my ($want, $have) = (promised($type, $field), kind($object->{$field}));
		next if $want eq $have;
		next if $have eq 'null' && $field =~ /^(binary|start|stop|start_probe|stop_probe|onward|floor_p99_9_ns|why)$/;
		push @wrong, "$type.$field is a $have";
	}
	for ($object) {
		next unless $type eq 'overrun' || $type eq 'close';
		push @wrong, "$type: the sum" if $_->{running_ns} + $_->{waiting_ns} + $_->{sleeping_ns} != $_->{elapsed_ns};
		push @wrong, "$type: elapsed" if $_->{start_ns} + $_->{elapsed_ns} != $_->{time_ns};
		push @wrong, "$type: wall clock" if abs($_->{time_unix_ns} / 1e9 - time) > 60;
	}
	return @wrong;
}

# All keys of an object and of what it contains.
sub all_keys {
	my ($value) = @_;
	return map { all_keys($_) } @$value if ref $value eq 'ARRAY';
	return map { ($_, all_keys($value->{$_})) } keys %$value if ref $value eq 'HASH';
	return ();
}

# What is wrong with the answer to why this record's window was late.
sub wrong_why {
	my ($record) = @_;
	my ($why, $at, $sum, @wrong) = ($record->{why}, $record->{start_ns}, 0);
	my %known = map { $_ => 1 } @{$fields{WHY}}, qw(cpu pid program start_ns running_ns waiting_ns sleeping_ns);
	push @wrong, "not in the page: $_" for grep { !$known{$_} } all_keys($why);
	for (@{$why->{segments}}) {
		push @wrong, "a gap before $_->{start_ns}" if $_->{start_ns} != $at;
		$at = $_->{end_ns};
	}
	push @wrong, 'segments do not end with the window' if $at != $record->{time_ns} && !$why->{segments_left_out};
	$sum += $_->{total_ns} for @{$why->{culprits}};
	push @wrong, "sum of culprits: $sum" if $sum != $record->{elapsed_ns} && !$why->{culprits_left_out};
	return @wrong;
}

# All objects in a file, and a test for each type that they are what the page says.
sub examine {
	my ($name, $file, @types) = @_;
	my (%seen, %have, @wrong, @objects);
	open my $in, '<:raw', $file or die "$file: $!";
	while (<$in>) {
		my $object = eval { JSON::PP->new->utf8->decode($_) };
		push @wrong, "line $. is no JSON: $_" and next unless ref $object eq 'HASH';
		my $type = $object->{type};
		push @objects, $object;
		$seen{$type}++;
		$have{$type}{$_}++ for grep { $_ ne 'type' } keys %$object;
		push @wrong, wrong_values($type, $object);
	}
	is_deeply \@wrong, [], "$name: values";
	for my $type (@types) {
		my %optional = map { $_ => 1 } $name =~ /watch/ ? qw(pid argv program_status) : ();
		if ($name !~ /samples/ && $type eq 'end') {
			$optional{$_} = 1 for grep { /^sample/ } @{$expected{end}};
		}
		my @want = grep { !($optional{$_} && $type =~ /start|end/) } @{$expected{$type}};
		is_deeply [sort keys %{$have{$type}}], [sort @want], "$name: fields of $type";
		my @rare = grep { $have{$type}{$_} != $seen{$type} } keys %{$have{$type}};
		is "@rare", '', "$name: all in each $type";
	}
	return @objects;
}

my @session = qw(start overrun close summary end);
for my $engine (qw(user bpf)) {
	subtest "engine $engine" => sub {
		my $why = qx($tlob doctor --usable $engine 2>&1);
		plan skip_all => "engine $engine: $why" if $?;
		system "$tlob run -q -e $engine -j $dir/$engine -- $build/examples/hello >/dev/null 2>&1";
		my @objects = examine("run, $engine", "$dir/$engine", @session);
		is $objects[0]{type}, 'start', 'start is first';
		is $objects[-1]{type}, 'end', 'end is last';
		is $objects[0]{engine}, $engine, 'the engine is named';
		is_deeply $objects[0]{argv}, ["$build/examples/hello"], 'so is the program';
		my ($overrun) = grep { $_->{type} eq 'overrun' } @objects;
		like $overrun->{file}, qr/hello\.c$/, 'and where the region is defined';
		my @why = grep { $_->{why} } @objects;
		is !!@why, $engine eq 'bpf', 'engine bpf says why, and only that';
		is_deeply [map { wrong_why($_) } @why], [], 'and it adds up';
		my ($close) = grep { $_->{type} eq 'close' && $_->{window} == $overrun->{window} } @objects;
		is $close->{tag}, $overrun->{tag}, 'an overrun and its close have one window';
	};
}

subtest 'samples' => sub {
	my $why = qx($tlob doctor --usable bpf 2>&1);
	plan skip_all => "engine bpf: $why" if $?;
	system "$tlob run -q --why=samples --good-share=1 -j $dir/samples -- " .
		"$build/tests/conformance/conf_samples --subject paths 3>/dev/null >/dev/null 2>&1";
	my @objects = examine('samples', "$dir/samples", @session, 'profile');
	my ($end, %all) = ($objects[-1]);
	my %known = map { $_ => 1 } @{$fields{SAMPLES}}, @{$fields{STACKS}};
	for my $object (grep { $_->{samples} } @objects) {
		my $sum = 0;
		for (@{$object->{samples}}) {
			$sum += $_->{count};
			$all{$object->{type}}{$_->{frames}[0]{function} // ''} += $_->{count};
		}
		is $sum, $object->{sampled}, "$object->{type}: all are there" if @{$object->{samples}} < 128;
		is join(' ', grep { !$known{$_} } all_keys($object->{samples})), '', 'all fields are in the page';
	}
	cmp_ok $all{close}{slow_path}, '>', 100, 'late windows were in the slow path';
	ok !$all{profile}{slow_path}, 'good ones were not';
	is $end->{"samples_lost_$_"}, 0, "lost: $_" for qw(no_mapping no_process backtrace buffer_full crowded);
};

subtest 'stacks' => sub {
	my $why = qx($tlob doctor --usable bpf 2>&1);
	plan skip_all => "engine bpf: $why" if $?;
	system "$tlob run -q --why=stacks -j $dir/stacks -- $build/examples/hello >/dev/null 2>&1";
	my @objects = examine('stacks', "$dir/stacks", @session);
	my ($close) = grep { $_->{type} eq 'close' } @objects;
	my %known = map { $_ => 1 } @{$fields{STACKS}};
	is_deeply [grep { !$known{$_} } all_keys($close->{stacks})], [], 'all in the page';
	my ($late) = grep { !$_->{asleep} } @{$close->{stacks}};
	cmp_ok $late->{time_ns}, '>=', $close->{start_ns} + $close->{budget_ns}, 'where it was when the budget expired';
	my ($main) = grep { $_->{function} eq 'main' } @{$late->{frames}};
	like $main->{object}, qr{/hello$}, 'its file';
	like $main->{file}, qr{hello\.c$}, 'its source';
	is kind($main->{line}), 'number', 'its line';
	ok !exists $main->{kernel} && !exists $main->{inlined}, 'what is false is left out';
	my $times = join ' ', map { $_->{time_ns} } @{$close->{stacks}};
	is $times, join(' ', sort { $a <=> $b } split / /, $times), 'in order of time';
};

subtest 'watch' => sub {
	my $why = qx($tlob doctor --usable bpf 2>&1);
	plan skip_all => "engine bpf: $why" if $?;
	my $probee = "$build/tests/conformance/probee";
	my $pid = fork // die;
	exec "$tlob watch -d 2s -q -j $dir/watch -r 'late=$probee:work_sleep\@5ms' >/dev/null" if !$pid;
	sleep 1;
	system "$probee sleep 1 20 4</dev/zero";
	waitpid $pid, 0;
	my @objects = examine('watch', "$dir/watch", @session);
	my $region = $objects[0]{regions}[0];
	is_deeply [sort keys %$region], [sort @{$fields{REGIONS}}], 'fields of a region';
	is_deeply [wrong_values('region', $region)], [], 'values of a region';
	is $region->{stop}, undef, 'a function ends with its return';
	cmp_ok $region->{cost_ns}, '>', 0, 'a probe costs something';
};

subtest 'doctor' => sub {
	system "$tlob doctor --json >$dir/doctor";
	examine('doctor', "$dir/doctor", qw(check engine));
};

subtest 'names' => sub {
	open my $c, '>:raw', "$dir/names.c";
	print $c <<'END';
#include <tlob/tlob.h>
#include <unistd.h>
TLOB_REGION(odd, "a \"b\" \\ \t\x1b[31m \xc3\xa4", TLOB_MS(1));
TLOB_REGION(long_name, "0123456789012345678901234567890123456789012345678901234567890", TLOB_MS(1));
int main(void)
{
	TLOB_SCOPE(odd, 0xffffffffffffffff);
	TLOB_SCOPE(long_name, 1);
	usleep(3000);
	return 0;
}
END
	close $c;
	my %flags = (san => '-fsanitize=address,undefined', tsan => '-fsanitize=thread', cov => '--coverage');
	my $flags = $build =~ m{/(\w+)$} && $flags{$1} || '';
	system "gcc $flags -std=gnu11 -D_GNU_SOURCE -Iinclude $dir/names.c -o $dir/names $build/libtlob.a -lpthread";
	my @words = ("quote \" backslash \\", "tab\t line\n escape\x1b", "broken \xff\xc3( \xed\xa0\x80 \xc0\xaf", "whole \xc3\xa4 \xf0\x9f\x95\x91");
	my $text = do {
		local $ENV{WORDS} = join ' ', map { "'$_'" } @words;
		qx(eval $tlob run -e user -j $dir/odd -- $dir/names "\$WORDS" 2>&1);
	};
	my @objects = examine('odd names', "$dir/odd", @session);
	shift @{$objects[0]{argv}};
	is_deeply $objects[0]{argv}, [@words[0, 1], "broken \x{fffd}\x{fffd}( \x{fffd}\x{fffd}\x{fffd} \x{fffd}\x{fffd}",
		"whole \xe4 \x{1f551}"], 'quotes, controls, and what is no UTF-8';
	my ($odd) = grep { $_->{type} eq 'overrun' && $_->{region} =~ /^a/ } @objects;
	like $odd->{region}, qr/^a "b" \\ .*\xe4$/, 'a region with an odd name';
	is $odd->{tag}, '18446744073709551615', 'a tag has 64 bits';
	my ($long) = grep { $_->{type} eq 'summary' && $_->{region} =~ /^0/ } @objects;
	is length $long->{region}, 47, 'a name is cut to 47 bytes';
	unlike $text, qr/[\x00-\x09\x0b-\x1f\x7f]/, 'the terminal gets no control characters';
	ok utf8::decode(my $copy = $text), 'but UTF-8';
	like $text, qr/^\d\d:\d\d:\d\d\.\d{3}  a "b" \\ \?\?\[31m/m, 'they are shown as ?';
};
done_testing;
