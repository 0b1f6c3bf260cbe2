#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
# The examples do what they say, on both engines: each way the pipeline suffers is reported where it happens and
# with its own cause.
use strict;
use warnings;
use File::Temp qw(tempdir);
use FindBin;
use JSON::PP;
use Test::More;

chdir "$FindBin::Bin/../.." or die;
my $build = $ENV{TLOB_BUILD} // 'build';
my ($tlob, $examples) = ("$build/tlob", "$build/examples");
my $dir = tempdir(CLEANUP => 1);

# Runs an example under tlob; its events by type, and what it printed.
sub observe {
	my ($engine, @program) = @_;
	my $out = qx($tlob run -q --engine $engine --json $dir/events -- @program 2>$dir/errors </dev/null);
	my $status = $?;
	my %events = (overrun => [], close => [], summary => []);
	open my $file, '<', "$dir/events" or return (\%events, $out, -1);
	while (<$file>) {
		my $event = decode_json $_;
		push @{$events{$event->{type}}}, $event;
	}
	if ($status) {
		open my $errors, '<', "$dir/errors";
		diag <$errors>;
	}
	return (\%events, $out, $status);
}

# The closing records of a region in which one part took what the suffering takes at least. The machine may have had
# other work meanwhile, which makes threads wait, but nothing else makes them run or sleep for so long.
sub suffered {
	my ($events, $region, $part) = @_;
	return grep { $_->{region} eq $region && $_->{"${part}_ns"} > 9e6 &&
			($part eq 'running' || $_->{running_ns} < 9e6) &&
			($part eq 'sleeping' || $_->{sleeping_ns} < 9e6) } @{$events->{close}};
}

sub tags {
	my ($events, $type, $region) = @_;
	return join ' ', map { $_->{tag} } grep { $_->{region} eq $region } @{$events->{$type}};
}

sub pipeline {
	my ($engine) = @_;
	my @cases = (
		# suffers, regions that overrun, the part that says why
		['spin', ['infer', 'detect'], 'running'],
		['sleep', ['decode', 'detect'], 'sleeping'],
		['lock', ['plan'], 'sleeping'],
		['hog', ['infer', 'detect'], 'waiting'],
	);
	for (@cases) {
		my ($how, $regions, $part) = @$_;
		my ($events, $out, $status) = observe($engine, "$examples/pipeline -d 1.3 --suffer=$how");
		is $status, 0, "pipeline, $how: ends well";
		for my $region (@$regions) {
			next if ok suffered($events, $region, $part), "pipeline, $how: $region is late, by $part";
			diag encode_json $_ for @{$events->{close}};
		}
		my @wrong = grep { $_->{running_ns} + $_->{waiting_ns} + $_->{sleeping_ns} != $_->{elapsed_ns} }
			@{$events->{overrun}}, @{$events->{close}};
		is @wrong, 0, "pipeline, $how: the sum holds";
		next unless $how eq 'spin';
		like $out, qr/^pipeline: 130 frames, \d+ planned, [1-9]\d* given up/, 'pipeline: acts on its budget';
	}
}

sub small_ones {
	my ($engine) = @_;
	my ($events, $out) = observe($engine, "$examples/hello");
	like $out, qr/3: too late\n4: too late\n5: too late\n/, 'hello: the late are told so';
	like tags($events, 'overrun', 'answer'), qr/3 4 5$/, 'hello: and reported';

	($events, $out) = observe($engine, "$examples/scope");
	like $out, qr/3: no such key/, 'scope: an exception leaves it';
	like tags($events, 'close', 'lookup'), qr/3 4$/, 'scope: and closes the window';

	($events, $out) = observe($engine, "$examples/clock");
	my ($running) = $out =~ /^compute +running +([\d.]+) ms/m;
	my ($sleeping) = $out =~ /^doze .*sleeping +([\d.]+) ms/m;
	cmp_ok $running // 0, '>', 5, 'clock: computing runs';
	cmp_ok $sleeping // 0, '>', 19, 'clock: dozing sleeps';
	like $out, qr/^engine: $engine$/m, "clock: names engine $engine";
}

# Request 20 lies in a queue for 30 ms, and that is what its chain says.
sub handover {
	my ($engine) = @_;
	my ($events, $out, $status) = observe($engine, "$examples/handover");
	is $status, 0, 'handover: runs';
	like $out, qr/^[1-9]\d* requests were late/m, 'handover: is told by tlob_end()';
	for my $type (qw(overrun close)) {
		my ($event) = grep { $_->{region} eq 'request' && $_->{tag} == 20 } @{$events->{$type}};
		my @stages = @{($event // {})->{stages} // []};
		is join(' ', map { $_->{region} } @stages), 'take decode answer', "handover: stages in $type";
		cmp_ok $stages[2]{wait_ns} // 0, '>', 8e6, "handover: the wait before the last in $type";
		ok $event->{transit} && !exists $event->{running_ns}, "handover: no split in $type";
	}
	my ($summary) = grep { $_->{region} eq 'request' } @{$events->{summary}};
	is $summary->{windows}, 40, 'handover: a row for the chain';
}

# Request 20 lies in a pipe for 30 ms; the process that gets it is the one that ends it.
sub relay {
	my ($engine) = @_;
	my ($events, $out, $status) = observe($engine, "$examples/relay");
	is $status, 0, 'relay: runs';
	if ($engine ne 'bpf') {
		like $out, qr/^0 requests were late, 40 not measured$/m, "relay: not with engine $engine";
		return;
	}
	like $out, qr/^[1-9]\d* requests were late, 0 not measured$/m, 'relay: is told by tlob_end()';
	my ($close) = grep { $_->{tag} == 20 } @{$events->{close}};
	ok $close && $close->{end_pid} && $close->{end_pid} != $close->{pid}, 'relay: another process ended it';
	is $events->{summary}[0]{windows}, 40, 'relay: all are counted';
}

for my $engine (qw(bpf user)) {
	subtest "engine $engine" => sub {
		my $why = qx($tlob doctor --usable $engine 2>&1);
		plan skip_all => "engine $engine: $why" if $?;
		pipeline($engine);
		small_ones($engine);
		handover($engine);
		relay($engine);
	};
}

subtest 'alone' => sub {
	like qx($examples/hello), qr/5: too late\n/, 'hello without an agent has its budget';
	unlike qx(TLOB=0 $examples/hello), qr/late/, 'hello with TLOB=0 has none';
	qx($examples/pipeline --suffer=thirst 2>&1);
	is $? >> 8, 64, 'pipeline: unknown way of suffering';
	qx($examples/pipeline -d soon 2>&1);
	is $? >> 8, 64, 'pipeline: seconds are a number';
};
done_testing;
