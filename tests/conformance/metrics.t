#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
# --metrics: Prometheus's text format to the letter, numbers that are the summary's, kept up to date, replaced as a whole.
use strict;
use warnings;
use Cwd;
use File::Temp qw(tempdir);
use FindBin;
use JSON::PP;
use Test::More;
use Time::HiRes qw(sleep time);

chdir "$FindBin::Bin/../.." or die;
my $build = $ENV{TLOB_BUILD} // getcwd . '/build';
my $tlob = "$build/tlob";
my $dir = tempdir(CLEANUP => 1);
my $file = "$dir/tlob.prom";

sub slurp {
	my ($name) = @_;
	open my $in, '<', $name or return '';
	local $/;
	return <$in> // '';
}

# Value by "name{labels}". Says what is not as the format wants it.
sub parse {
	my ($text) = @_;
	my (%values, %kind, %seen, $now, @wrong);
	for (split /\n/, $text) {
		if (/^# (HELP|TYPE) (tlob_[a-z_]+) (.+)$/) {
			push @wrong, "$1 of $2 twice" if $seen{"$1 $2"}++;
			$kind{$2} = $3 if $1 eq 'TYPE';
			$now = $2;
			next;
		}
		my ($name, $labels, $value) = /^(tlob_[a-z_]+)(\{(?:[a-z]+="(?:[^"\\]|\\["\\n])*"(?:,(?!\}))?)+\})? ([0-9.e+-]+)$/;
		if (!defined $value) {
			push @wrong, $_;
			next;
		}
		my $metric = $kind{$now} eq 'histogram' ? $name =~ s/_(bucket|sum|count)$//r : $name;
		push @wrong, "$name among those of $now" if $metric ne $now;
		push @wrong, "$name is a counter" if ($kind{$now} eq 'counter') != ($name =~ /_total$/);
		push @wrong, "$_ twice" if exists $values{$name . ($labels // '')};
		$values{$name . ($labels // '')} = $value;
	}
	push @wrong, 'no newline at the end' if $text !~ /\n\z/;
	is_deeply \@wrong, [], 'the format';
	return %values;
}

my $status = system "$tlob run -e user -q --json $dir/run.ndjson --metrics $file -- $build/examples/hello >/dev/null 2>&1";
is $status, 0, 'a run';
my %v = parse(slurp($file));
my ($summary) = grep { $_->{type} eq 'summary' } map { decode_json($_) } split /\n/, slurp("$dir/run.ndjson");
my $of = "{region=\"$summary->{region}\",program=\"$summary->{program}\"";
is $v{"tlob_windows_total$of}"}, $summary->{windows}, 'windows, as the summary has them';
is $v{"tlob_overruns_total$of}"}, $summary->{overruns}, 'overruns';
is $v{"tlob_budget_seconds$of}"} * 1e9, $summary->{budget_ns}, 'budget';
is $v{"tlob_window_seconds_count$of}"}, $summary->{windows}, 'the distribution has them all';
is $v{"tlob_window_seconds_bucket$of,le=\"+Inf\"}"}, $summary->{windows}, 'in its last bucket too';
is sprintf('%.0f', $v{"tlob_window_percentile_seconds$of,percentile=\"100\"}"} * 1e9), $summary->{max_ns}, 'the longest';
is sprintf('%.0f', $v{"tlob_window_percentile_seconds$of,percentile=\"99.9\"}"} * 1e9), $summary->{p99_9_ns}, 'a percentile';
my @buckets = map { [/le="([0-9.e+-]+)"/ ? $1 : 1e9, $v{$_}] } grep { /_bucket\Q$of/ } keys %v;
@buckets = sort { $a->[0] <=> $b->[0] } @buckets;
is_deeply [map { $_->[1] } @buckets], [sort { $a <=> $b } map { $_->[1] } @buckets], 'buckets add up';
is $buckets[-2][1], $summary->{windows}, 'none is longer than the last bound';
my ($within) = grep { $_->[0] * 1e9 >= $summary->{max_ns} } @buckets;
is $within->[1], $summary->{windows}, 'the bound above the longest has all';
my $mean = $v{"tlob_window_seconds_sum$of}"} * 1e9 / $summary->{windows};
ok $mean > 0 && $mean <= $summary->{max_ns} * 1.01, 'a sum';
is scalar(grep { /^tlob_info\{version="[0-9.]+",engine="user"\}$/ && $v{$_} == 1 } keys %v), 1, 'version and engine';
my %page = map { $_ => 1 } slurp('man/tlob-run.1') =~ /^\.It Cm (tlob_\w+)/mg;
my %named = map { $_ => 1 } slurp($file) =~ /^# TYPE (\w+)/mg;
is_deeply \%page, \%named, 'the man page has them all, and no others';
is_deeply [map { s/.*\///r } glob "$dir/tlob.prom*"], ['tlob.prom'], 'nothing else is left in the folder';
is +(stat $file)[2] & 0777, 0644, 'others may read it';

system "$tlob run -e user -q --metrics $file -r 'a\"b\\c\xff\@5ms' -- true >/dev/null 2>&1";
like join("\n", grep { /windows_total/ } parse(slurp($file))), qr/\{region="a\\"b\\\\c\xef\xbf\xbd",program=""\}/, 'a name that needs escaping';

# while it runs: at first nothing, then more and more
unlink $file;
my $pid = fork // die;
if (!$pid) {
	open STDOUT, '>', '/dev/null';
	open STDERR, '>', '/dev/null';
	exec $tlob, qw(run -e user -q --metrics), $file, '--', "$build/examples/pipeline", qw(-d 7);
}
my ($first, $torn);
my $early = 0;
for (my $begun = time; time - $begun < 20 && waitpid($pid, 1) == 0; sleep 0.1) {
	my $text = slurp($file);
	my ($n) = $text =~ /^tlob_windows_total\{region="decode".* (\d+)$/m;
	$torn = 1 if $text ne '' && $text !~ /late_windows_total counter\n\z|cause="[^\n]*\n\z/;
	$first //= $n // 0 if $text ne '';
	$early = $n if $n && time - $begun < 6.5;
}
is $first, 0, 'there from the beginning';
cmp_ok $early, '>', 0, 'kept up to date';
ok !$torn, 'never half';
my ($all) = slurp($file) =~ /^tlob_windows_total\{region="decode".* (\d+)$/m;
cmp_ok $all, '>', $early, 'and whole at the end';

my $out = qx($tlob run -e user --metrics $dir/no/such -- touch $dir/ran 2>&1);
like $out, qr/^tlob run: cannot write metrics to '.*such': No such file or directory$/m, 'a folder that does not exist';
is $? >> 8, 1, 'status';
ok !-e "$dir/ran", 'the program is not even begun';

SKIP: {
	my $why = qx($tlob doctor --usable bpf 2>&1);
	skip "engine bpf: $why", 2 if $?;
	system "$tlob run -e bpf -q --metrics $file --json $dir/why.ndjson -- $build/examples/pipeline -d 1 --suffer=lock >/dev/null 2>&1";
	%v = parse(slurp($file));
	my %reasons;
	for (map { decode_json($_) } split /\n/, slurp("$dir/why.ndjson")) {
		$reasons{"$_->{region} $_->{why}{reason}"}++ if $_->{type} eq 'close' && $_->{why};
	}
	my %causes = map { /^tlob_late_windows_total\{region="([^"]*)",.*cause="([^"]*)"\}/ ? ("$1 $2" => $v{$_}) : () } keys %v;
	is_deeply \%causes, \%reasons, 'causes, as they were told' or diag explain \%causes;
}
done_testing;
