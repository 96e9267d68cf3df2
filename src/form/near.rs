//! Searches that end within a few bytes, as most do: a call of memchr would take longer.

const BLOCK: usize = 16;

/// The number of bytes after which a search goes on with memchr.
const NEAR: usize = 64;

/// Returns the place of the first of `bytes`, or the length of `text`. `find_far` searches a long text.
#[inline(always)]
pub(super) fn find<const N: usize>(
    text: &[u8],
    bytes: [u8; N],
    find_far: impl FnOnce(&[u8]) -> Option<usize>,
) -> usize {
    let mut blocks = text.chunks_exact(BLOCK);
    let mut at = 0;
    for block in &mut blocks {
        if has(block, bytes) {
            return at + place(block, bytes);
        }
        at += BLOCK;
        if at == NEAR {
            return find_far(&text[at..]).map_or(text.len(), |place| at + place);
        }
    }
    let mut rest = blocks.remainder().iter();
    let place = rest.position(|byte| bytes.contains(byte));
    place.map_or(text.len(), |place| at + place)
}

/// Returns `true` if `block` has one of `bytes`.
#[inline(always)]
fn has<const N: usize>(block: &[u8], bytes: [u8; N]) -> bool {
    let block: &[u8; BLOCK] = block.try_into().expect("a chunk is a block");
    let mut any = false;
    for byte in bytes {
        // Without a branch, so that the compiler compares all bytes of a block at once.
        any |= block
            .iter()
            .fold(false, |has, &other| has | (other == byte));
    }
    any
}

/// Returns the place of the first of `bytes`, which the block has.
#[inline(always)]
fn place<const N: usize>(block: &[u8], bytes: [u8; N]) -> usize {
    let (first, second) = block.split_at(BLOCK / 2);
    let (first, second) = (marks(first, bytes), marks(second, bytes));
    let (start, marks) = if first == 0 {
        (BLOCK / 2, second)
    } else {
        (0, first)
    };
    start + (marks.trailing_zeros() / u8::BITS) as usize
}

/// Returns a word whose lowest bit is in the first of `bytes`, or 0 if there is none.
#[inline(always)]
fn marks<const N: usize>(half: &[u8], bytes: [u8; N]) -> u64 {
    let word = u64::from_le_bytes(half.try_into().expect("half of a block is a word"));
    let mut marks = 0;
    for byte in bytes {
        marks |= zero_bytes(word ^ u64::from_ne_bytes([byte; 8]));
    }
    marks
}

/// Returns a word whose lowest bit is in the lowest byte that is zero, or 0 if none is.
const fn zero_bytes(word: u64) -> u64 {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    word.wrapping_sub(ONES) & !word & (ONES << 7)
}

#[cfg(test)]
mod tests {
    use arbtest::arbtest;
    use memchr::{memchr, memchr2};

    use super::*;

    #[test]
    fn first_of_the_bytes_is_found_as_memchr_finds_it() {
        arbtest(|u| {
            let len = u.int_in_range(0..=3 * NEAR)?;
            let letters = (0..len).map(|_| Ok(*u.choose(b"aaaaaaaaaaaaaaaaaaaaa%&'=<>\0\xFF")?));
            let text = letters.collect::<arbtest::arbitrary::Result<Vec<u8>>>()?;
            let one = find(&text, [b'&'], |text| memchr(b'&', text));
            assert_eq!(one, memchr(b'&', &text).unwrap_or(len));
            let two = find(&text, [b'=', b'&'], |text| memchr2(b'=', b'&', text));
            assert_eq!(two, memchr2(b'=', b'&', &text).unwrap_or(len));
            Ok(())
        });
    }

    #[test]
    fn byte_is_found_at_every_place() {
        for place in 0..2 * NEAR {
            let mut text = vec![b'%'; 2 * NEAR];
            text[place] = b'&';
            assert_eq!(find(&text, [b'&'], |text| memchr(b'&', text)), place);
            assert_eq!(
                find(&text[..place], [b'&'], |text| memchr(b'&', text)),
                place
            );
        }
    }
}
