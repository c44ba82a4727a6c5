# A Perl program that builds hashes of lists, sorts, splits and substitutes. Prints a checksum.
use strict;
use warnings;

my $rounds = shift // 1;
my $sum = 0;
for my $round (1 .. $rounds) {
    my (%lists, %count);
    for my $i (1 .. 20000) {
        my $word = join '-', map { chr(97 + ($i * $_ + $round) % 26) x (1 + $i % 4) } 1 .. 3;
        push @{ $lists{ substr $word, 0, 3 } }, { word => $word, number => $i };
        $count{$word}++;
    }
    for my $key (sort keys %lists) {
        my @sorted = sort { $a->{word} cmp $b->{word} } @{ $lists{$key} };
        my $text = join ' ', map { "$_->{word}=$_->{number}" } @sorted;
        $text =~ s/([a-z]+)-/<$1>/g;
        $sum += scalar(split / /, $text);
    }
    $sum += keys %count;
}
print "$sum\n";
