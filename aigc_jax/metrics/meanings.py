"""One sentence on each measure, for the reader of a table."""

LOWER, HIGHER, NEITHER = "lower is better", "higher is better", "neither end is better"

MEANINGS = {  # of a name, or of all names that begin so
    "FID": (LOWER, "how far the features of samples lie from those of real images, as two Gaussians"),
    "FD-": (LOWER, "how far the features of samples lie from those of real images, as two Gaussians"),
    "KID-": (LOWER, "how far the features of samples lie from those of real images, by a cubic kernel; 0 = alike"),
    "MMD-": (LOWER, "how far the features of samples lie from those of real images, by a Gaussian kernel; 0 = alike"),
    "IS": (HIGHER, "whether samples are clearly of one class each, and of all classes together"),
    "score-": (HIGHER, "whether samples are clearly of one class each, and of all classes together"),
    "precision": (HIGHER, "the share of samples that lie among real images; 1 = all"),
    "recall": (HIGHER, "the share of real images that lie among samples; 1 = all"),
    "density": (HIGHER, "how many real images' neighbourhoods hold a sample, over what is usual; it may exceed 1"),
    "coverage": (HIGHER, "the share of real images that have a sample in their neighbourhood; 1 = all"),
    "class_KL": (LOWER, "how far the classes of samples are from being as frequent as the real ones; 0 = alike"),
    "class_JS": (LOWER, "how far the classes of samples are from being as frequent as the real ones; 0 = alike"),
    "class_accuracy": (HIGHER, "the share of samples that are seen as the class that was asked for"),
    "class_F": (LOWER, "the mean over the classes of how far their samples lie from their real images"),
    "distinct_": (HIGHER, "the share of runs of characters that differ; near 0 = the same again and again"),
    "copied_": (
        NEITHER,
        "the share of runs of characters that stand in training texts; see what real texts reach",
    ),
    "distinct_words_": (HIGHER, "the share of runs of words that differ; near 0 = the same again and again"),
    "BLEU": (HIGHER, "how many runs of words samples share with what they should be, 0 to 100"),
    "chrF": (HIGHER, "how many runs of characters samples share with what they should be, 0 to 100"),
    "exact_match": (HIGHER, "the share of samples that are what they should be, to the letter"),
    "verse_form": (HIGHER, "the share of samples with verses of 5 or of 7 characters, and an even number of them"),
    "verse_rhyme": (HIGHER, "the share of samples whose even verses rhyme; see what real poems reach"),
    "verse_tones": (HIGHER, "the share of characters of the tone that regulated verse has there; by chance about 0.65"),
    "verse_regulated": (HIGHER, "the share of samples that keep all rules of regulated verse; see what poems reach"),
    "verse_unknown": (NEITHER, "the share of characters whose rhyme is not known; see what real poems have"),
    "self_bleu": (LOWER, "how much samples repeat each other; 1 = all alike"),
    "JS": (LOWER, "how far the histogram of samples is from the density, in bits"),
    "surprise": (NEITHER, "how much less probable samples are than the data, in bits; 0 = as probable"),
    "off_data": (LOWER, "the share of samples where the density has next to nothing"),
    "modes": (HIGHER, "how many of the density's components samples reach"),
    "bits_per_dim": (LOWER, "what the model needs to write down a value of an unseen example, in bits"),
    "bits_per_dim_ode": (LOWER, "the same by the probability flow, with values anywhere within their level"),
    "bits_per_char": (LOWER, "what the model needs to write down a character of an unseen text, in bits"),
    "bits_per_byte": (LOWER, "what the model needs to write down a byte of an unseen text, in bits"),
    "perplexity": (LOWER, "among how many characters, equally likely, the model seems to choose; 1 = it knows"),
    "bound_": (HIGHER, "a lower bound of an unseen example's log-likelihood"),
    "elbo": (HIGHER, "a lower bound of an unseen example's log-likelihood"),
    "accuracy": (HIGHER, "the share of unseen examples that the network tells right"),
    "cross_entropy": (LOWER, "how surprised the network is by the right classes of unseen examples, in nats"),
    "PSNR": (HIGHER, "how near images are to their targets, in decibels"),
    "SSIM": (HIGHER, "how like the structure of images is to that of their targets; 1 = the same"),
    "OCR-": (
        HIGHER,
        "the share of characters that a reader of print reads rightly; see what it reads of the data",
    ),
    "LPIPS-": (LOWER, "how far images look from their targets to a network; 0 = the same"),
}


def meaning(measure: str) -> str:
    """'lower is better: how far …'; "" for a measure without one, such as a part of a loss."""
    begins = [name for name in MEANINGS if name == measure or (name[-1] in "-_F" and measure.startswith(name))]
    return ": ".join(MEANINGS[max(begins, key=len)]) if begins else ""
