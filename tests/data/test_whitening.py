from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from adam_repro.data import Dataset, array_cache, whitening


@pytest.fixture
def images() -> np.ndarray:
    """Generated images [600, 3, 4, 4] with correlated neighbouring pixels, as in photographs."""
    rng = np.random.default_rng(0)
    coarse = rng.normal(0, 40, (600, 3, 2, 2)).repeat(2, axis=2).repeat(2, axis=3)
    noisy = 120 + coarse + coarse[:, :1] + rng.normal(0, 4, (600, 3, 4, 4))
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)


def covariance(white: np.ndarray) -> np.ndarray:
    rows = white.reshape(len(white), -1).astype(np.float64)
    return np.cov(rows, rowvar=False, bias=True)


def in_eigenvectors(white: np.ndarray, fit: dict[str, np.ndarray]) -> np.ndarray:
    return fit["vectors"].T @ covariance(white) @ fit["vectors"]


@pytest.mark.parametrize("eps", [1e-9, 1e-3, 3e-2])
def test_zca_covariance_is_the_identity_above_the_cutoff(images, eps: float) -> None:
    fit = whitening.spectrum(images)
    above = fit["values"] >= eps
    assert above.any()
    white = whitening.apply_transform(whitening.zca(fit, eps), images)
    got = in_eigenvectors(white, fit)
    np.testing.assert_allclose(got[np.ix_(above, above)], np.eye(above.sum()), atol=1e-3)
    np.testing.assert_allclose(np.diag(got)[~above], fit["values"][~above] / eps, atol=1e-3)


def test_zca_on_photographs(cifar10: Dataset) -> None:
    patches = cifar10.train.inputs[:10_000, :, 12:20, 12:20]
    fit = whitening.spectrum(patches)
    above = fit["values"] >= 1e-3
    assert 0 < above.sum() < len(above)
    white = whitening.apply_transform(whitening.zca(fit, 1e-3), patches)
    assert white.dtype == np.float32
    got = in_eigenvectors(white, fit)[np.ix_(above, above)]
    np.testing.assert_allclose(got, np.eye(above.sum()), atol=1e-3)
    np.testing.assert_allclose(white.mean(axis=0), 0, atol=1e-4)


def test_zca_is_the_nearest_whitening_to_the_images_themselves(images) -> None:
    # W is symmetric and positive, so each whitened pixel correlates with its own pixel.
    fit = whitening.spectrum(images)
    white = whitening.apply_transform(whitening.zca(fit, 1e-3), images)
    for pixel in np.ndindex(3, 4, 4):
        place = (slice(None), *pixel)
        assert np.corrcoef(white[place], images[place])[0, 1] > 0


def test_the_spectrum_is_that_of_numpys_covariance(images) -> None:
    fit = whitening.spectrum(images)
    reference = np.linalg.eigvalsh(covariance(images / 255))
    np.testing.assert_allclose(fit["values"], reference, rtol=1e-10, atol=1e-14)


def test_per_image_standardises_each_image(images) -> None:
    rows = (
        whitening.apply_transform(whitening.per_image, images).reshape(600, -1).astype(np.float64)
    )
    np.testing.assert_allclose(rows.mean(axis=1), 0, atol=1e-6)
    np.testing.assert_allclose(rows.std(axis=1), 1, atol=1e-6)


def test_per_image_leaves_a_uniform_image_at_zero() -> None:
    flat = np.full((2, 3, 4, 4), 77, np.uint8)
    np.testing.assert_array_equal(whitening.apply_transform(whitening.per_image, flat), 0)


def test_mean_std_standardises_each_channel_over_the_training_set(images) -> None:
    white = whitening.apply_transform(whitening.mean_std(images), images).astype(np.float64)
    np.testing.assert_allclose(white.mean(axis=(0, 2, 3)), 0, atol=1e-6)
    np.testing.assert_allclose(white.std(axis=(0, 2, 3)), 1, atol=1e-6)
    other = images[:10] + np.uint8(3)
    shifted = whitening.apply_transform(whitening.mean_std(images), other)
    reference = (other - images.mean((0, 2, 3), keepdims=True)) / images.std((0, 2, 3), keepdims=1)
    np.testing.assert_allclose(shifted, reference, rtol=1e-5, atol=1e-5)


def test_blocks_do_not_change_the_result(images, monkeypatch) -> None:
    whole = whitening.spectrum(images)["values"]
    monkeypatch.setattr(whitening, "BLOCK", 7)
    np.testing.assert_allclose(whitening.spectrum(images)["values"], whole, rtol=1e-9, atol=1e-14)


@pytest.fixture
def base(cache: Path, images: np.ndarray) -> array_cache.CacheFile:
    arrays = {"train_images": images[:500], "test_images": images[500:]}
    return array_cache.open_file(array_cache.write_file("toy", 1, arrays))


def test_the_fit_is_on_the_training_set_alone(base: array_cache.CacheFile) -> None:
    white = whitening.whiten(base, "zca", 1e-3)
    fit = whitening.spectrum(base.arrays["train_images"])
    reference = whitening.apply_transform(whitening.zca(fit, 1e-3), base.arrays["test_images"])
    np.testing.assert_array_equal(white["test_images"], reference)


def test_whitened_images_are_computed_once_and_mapped(
    base: array_cache.CacheFile, monkeypatch
) -> None:
    first = whitening.whiten(base, "zca", 1e-3)
    monkeypatch.setattr(whitening, "apply_transform", None)
    again = whitening.whiten(base, "zca", 1e-3)
    assert isinstance(again["train_images"], np.memmap)
    np.testing.assert_array_equal(first["train_images"], again["train_images"])


def test_each_constant_has_its_own_images_and_the_fit_is_shared(
    base: array_cache.CacheFile, monkeypatch
) -> None:
    small = whitening.whiten(base, "zca", 1e-6)["test_images"]
    monkeypatch.setattr(whitening, "spectrum", None)
    large = whitening.whiten(base, "zca", 1e-2)["test_images"]
    assert small.std() > large.std()


def test_a_changed_base_is_whitened_again(base: array_cache.CacheFile, images: np.ndarray) -> None:
    old = np.array(whitening.whiten(base, "mean_std", 1e-3)["test_images"])
    arrays = {"train_images": images[100:], "test_images": images[:100]}
    changed = array_cache.open_file(array_cache.write_file("toy", 1, arrays))
    new = whitening.whiten(changed, "mean_std", 1e-3)["test_images"]
    assert not np.array_equal(old, new)
