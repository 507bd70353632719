//! Products of small matrices in flat arrays, row by row, that stay in registers while they are summed.
//!
//! Every sum is a chain of fused multiply-adds in a fixed order, whatever the tile it lies in, the number of rows beside
//! it and the width of the vectors: a fused multiply-add is rounded once by its definition (IEEE 754), so that the bits
//! are the same on every machine. Where the machine has none, it is emulated, slowly; x86-64 has had them since 2013.

/// Rows of `a` that one pass over the columns of `b` takes, so that sums of several rows and numbers of both stay in
/// 16 registers: the classic 6 x 16 (Van Zee and van de Geijn, "BLIS", 2015).
const ROWS: usize = 6;

/// Rows after which a product over many rows turns to its next tile: both factors stay in the first cache.
const CHUNK: usize = 48;

/// `out[r, w] += sum over d of a[r, d] * b[d, w]`, in the order of `d`; `a` is `[rows, depth]`, `b` is `[depth, width]`.
#[inline(always)]
pub(super) fn multiply(a: &[f32], b: &[f32], depth: usize, width: usize, out: &mut [f32]) {
    let rows = out.len() / width;
    let mut row = 0;
    while row + ROWS <= rows {
        rows_of::<ROWS>(&a[row * depth..], b, depth, width, &mut out[row * width..]);
        row += ROWS;
    }
    if row + 4 <= rows {
        rows_of::<4>(&a[row * depth..], b, depth, width, &mut out[row * width..]);
        row += 4;
    }
    while row < rows {
        rows_of::<1>(&a[row * depth..], b, depth, width, &mut out[row * width..]);
        row += 1;
    }
}

#[inline(always)]
fn rows_of<const R: usize>(a: &[f32], b: &[f32], depth: usize, width: usize, out: &mut [f32]) {
    let mut start = 0;
    // A row alone: many sums at a time, because each waits for the one before.
    while R == 1 && start + 64 <= width {
        tile::<R, 64>(a, b, depth, width, start, out);
        start += 64;
    }
    if R == 1 && start + 32 <= width {
        tile::<R, 32>(a, b, depth, width, start, out);
        start += 32;
    }
    while start + 16 <= width {
        tile::<R, 16>(a, b, depth, width, start, out);
        start += 16;
    }
    if start + 8 <= width {
        tile::<R, 8>(a, b, depth, width, start, out);
        start += 8;
    }
    if start + 4 <= width {
        tile::<R, 4>(a, b, depth, width, start, out);
        start += 4;
    }
    while start < width {
        tile::<R, 1>(a, b, depth, width, start, out);
        start += 1;
    }
}

#[inline(always)]
#[allow(clippy::needless_range_loop, reason = "the form that is kept in registers")]
fn tile<const R: usize, const W: usize>(
    a: &[f32],
    b: &[f32],
    depth: usize,
    width: usize,
    start: usize,
    out: &mut [f32],
) {
    assert!(start + W <= width);
    let rows: [&[f32]; R] = std::array::from_fn(|row| &a[row * depth..][..depth]);
    let mut sums: [[f32; W]; R] = std::array::from_fn(|row| part(out, row * width + start));
    for (d, b) in (0..depth).zip(b.chunks_exact(width)) {
        let b: [f32; W] = part(b, start);
        for row in 0..R {
            for w in 0..W {
                sums[row][w] = rows[row][d].mul_add(b[w], sums[row][w]);
            }
        }
    }
    for row in 0..R {
        out[row * width + start..][..W].copy_from_slice(&sums[row]);
    }
}

/// `out[h, w] += sum over r of a[r, h] * b[r, w]`, in the order of `r`; `a` is `[rows, height]`, `b` is `[rows, width]`.
#[inline(always)]
pub(super) fn multiply_transposed(a: &[f32], b: &[f32], width: usize, out: &mut [f32]) {
    let height = out.len() / width;
    if height == 0 {
        return;
    }
    if width == 1 {
        // The same products and sums, with the long side across the vectors.
        return tall(b, a, height, out);
    }
    for (a, b) in a.chunks(CHUNK * height).zip(b.chunks(CHUNK * width)) {
        let mut top = 0;
        while top + ROWS <= height {
            columns_of::<ROWS>(a, b, height, width, top, 0, out);
            top += ROWS;
        }
        if top + 4 <= height {
            columns_of::<4>(a, b, height, width, top, 0, out);
            top += 4;
        }
        while top < height {
            columns_of::<1>(a, b, height, width, top, 0, out);
            top += 1;
        }
    }
}

/// `out[w] += sum over r of a[r] * b[r, w]`, in the order of `r`.
#[inline(always)]
fn tall(a: &[f32], b: &[f32], width: usize, out: &mut [f32]) {
    let mut start = 0;
    while start + 64 <= width {
        tile_transposed::<1, 64>(a, b, 1, width, 0, start, out);
        start += 64;
    }
    columns_of::<1>(a, b, 1, width, 0, start, out);
}

#[inline(always)]
fn columns_of<const R: usize>(
    a: &[f32],
    b: &[f32],
    height: usize,
    width: usize,
    top: usize,
    mut start: usize,
    out: &mut [f32],
) {
    let out = &mut out[top * width..];
    while start + 16 <= width {
        tile_transposed::<R, 16>(a, b, height, width, top, start, out);
        start += 16;
    }
    if start + 8 <= width {
        tile_transposed::<R, 8>(a, b, height, width, top, start, out);
        start += 8;
    }
    if start + 4 <= width {
        tile_transposed::<R, 4>(a, b, height, width, top, start, out);
        start += 4;
    }
    while start < width {
        tile_transposed::<R, 1>(a, b, height, width, top, start, out);
        start += 1;
    }
}

#[inline(always)]
#[allow(clippy::needless_range_loop, reason = "the form that is kept in registers")]
fn tile_transposed<const R: usize, const W: usize>(
    a: &[f32],
    b: &[f32],
    height: usize,
    width: usize,
    top: usize,
    start: usize,
    out: &mut [f32],
) {
    assert!(start + W <= width && top + R <= height);
    let mut sums: [[f32; W]; R] = std::array::from_fn(|row| part(out, row * width + start));
    for (a, b) in a.chunks_exact(height).zip(b.chunks_exact(width)) {
        let (a, b): ([f32; R], [f32; W]) = (part(a, top), part(b, start));
        for row in 0..R {
            for w in 0..W {
                sums[row][w] = a[row].mul_add(b[w], sums[row][w]);
            }
        }
    }
    for row in 0..R {
        out[row * width + start..][..W].copy_from_slice(&sums[row]);
    }
}

#[inline(always)]
fn part<const W: usize>(values: &[f32], start: usize) -> [f32; W] {
    *values[start..].first_chunk().expect("a tile lies within its matrix")
}

/// `out[c, r] = matrix[r, c]` of a matrix `[rows, width]`.
#[inline(always)]
pub(super) fn transpose(matrix: &[f32], width: usize, out: &mut [f32]) {
    const SIDE: usize = 8;
    let rows = matrix.len() / width;
    let (square_rows, square_columns) = (rows - rows % SIDE, width - width % SIDE);
    for top in (0..square_rows).step_by(SIDE) {
        for left in (0..square_columns).step_by(SIDE) {
            let square: [[f32; SIDE]; SIDE] =
                std::array::from_fn(|row| part(matrix, (top + row) * width + left));
            for column in 0..SIDE {
                let turned: [f32; SIDE] = std::array::from_fn(|row| square[row][column]);
                out[(left + column) * rows + top..][..SIDE].copy_from_slice(&turned);
            }
        }
    }
    for row in 0..rows {
        let from = if row < square_rows { square_columns } else { 0 };
        for column in from..width {
            out[column * rows + row] = matrix[row * width + column];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(len: usize, seed: usize) -> Vec<f32> {
        (0..len).map(|at| ((at * 37 + seed * 11) % 101) as f32 / 50.0 - 1.0).collect()
    }

    #[test]
    fn products_are_chains_of_fused_steps_in_order_for_sizes_around_the_tiles() {
        for (rows, depth, width) in [(1, 3, 1), (5, 1, 7), (6, 4, 16), (11, 9, 30), (100, 33, 97), (3, 0, 5)]
        {
            let (a, b, start) =
                (numbers(rows * depth, 1), numbers(depth * width, 2), numbers(rows * width, 3));
            let mut out = start.clone();
            multiply(&a, &b, depth, width, &mut out);
            for row in 0..rows {
                for at in 0..width {
                    let steps = (0..depth).map(|d| (a[row * depth + d], b[d * width + at]));
                    let expected = steps.fold(start[row * width + at], |sum, (x, y)| x.mul_add(y, sum));
                    assert_eq!(out[row * width + at], expected, "{rows} {depth} {width}");
                }
            }
        }
    }

    #[test]
    fn products_over_many_rows_are_chains_in_the_order_of_the_rows() {
        for (rows, height, width) in
            [(1, 3, 1), (7, 6, 16), (100, 33, 31), (256, 10, 64), (0, 4, 4), (50, 150, 1)]
        {
            let (a, b, start) =
                (numbers(rows * height, 1), numbers(rows * width, 2), numbers(height * width, 3));
            let mut out = start.clone();
            multiply_transposed(&a, &b, width, &mut out);
            for h in 0..height {
                for w in 0..width {
                    let steps = (0..rows).map(|row| (a[row * height + h], b[row * width + w]));
                    let expected = steps.fold(start[h * width + w], |sum, (x, y)| x.mul_add(y, sum));
                    assert_eq!(out[h * width + w], expected, "{rows} {height} {width}");
                }
            }
        }
    }

    #[test]
    fn a_transposed_matrix_has_rows_for_columns() {
        for (rows, width) in [(1, 1), (8, 8), (3, 17), (17, 9), (64, 1)] {
            let matrix = numbers(rows * width, 4);
            let mut out = vec![0.0; rows * width];
            transpose(&matrix, width, &mut out);
            for row in 0..rows {
                for column in 0..width {
                    assert_eq!(out[column * rows + row], matrix[row * width + column]);
                }
            }
        }
    }
}
