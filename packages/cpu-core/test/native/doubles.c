/*
 * A program full of floating point, run natively and on our processor: planets, a matrix, an FFT, numbers to text and
 * back, roundings, what is special. Everything that it prints depends on every bit.
 */
#include <fenv.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned long long bits(double x) {
  unsigned long long u;
  memcpy(&u, &x, sizeof u);
  return u;
}

static unsigned seed = 12345;
static double uniform(void) {
  seed = seed * 1103515245u + 12345u;
  return (seed >> 8) / 16777216.0;
}

#define BODIES 5
static double p[BODIES][3], v[BODIES][3], m[BODIES];

static double energy(void) {
  double e = 0;
  for (int i = 0; i < BODIES; i++) {
    e += 0.5 * m[i] * (v[i][0] * v[i][0] + v[i][1] * v[i][1] + v[i][2] * v[i][2]);
    for (int j = i + 1; j < BODIES; j++) {
      double d = 0;
      for (int k = 0; k < 3; k++) d += (p[i][k] - p[j][k]) * (p[i][k] - p[j][k]);
      e -= m[i] * m[j] / sqrt(d);
    }
  }
  return e;
}

static void planets(int steps) {
  for (int i = 0; i < BODIES; i++) {
    m[i] = i ? uniform() * 0.01 : 39.5;
    for (int k = 0; k < 3; k++) p[i][k] = uniform() * 10 - 5, v[i][k] = i ? uniform() - 0.5 : 0;
  }
  printf("energy %.17g", energy());
  for (int s = 0; s < steps; s++) {
    for (int i = 0; i < BODIES; i++)
      for (int j = i + 1; j < BODIES; j++) {
        double d[3], q = 0;
        for (int k = 0; k < 3; k++) d[k] = p[i][k] - p[j][k], q += d[k] * d[k];
        double f = 0.001 / (q * sqrt(q));
        for (int k = 0; k < 3; k++) v[i][k] -= d[k] * m[j] * f, v[j][k] += d[k] * m[i] * f;
      }
    for (int i = 0; i < BODIES; i++)
      for (int k = 0; k < 3; k++) p[i][k] += 0.001 * v[i][k];
  }
  printf(" to %.17g (%a)\n", energy(), energy());
}

#define N 24
static float a[N][N], b[N][N], c[N][N];

static void matrix(void) {
  float trace = 0;
  for (int i = 0; i < N; i++)
    for (int j = 0; j < N; j++) a[i][j] = uniform(), b[i][j] = uniform() - 0.5f;
  for (int i = 0; i < N; i++)
    for (int j = 0; j < N; j++) {
      c[i][j] = 0;
      for (int k = 0; k < N; k++) c[i][j] += a[i][k] * b[k][j];
    }
  for (int i = 0; i < N; i++) trace += c[i][i];
  printf("trace %.9g, corner %.9g %d\n", trace, c[N - 1][0], (int)(c[1][2] * 1000));
}

#define POINTS 64
static void fft(void) {
  double re[POINTS], im[POINTS];
  for (int i = 0; i < POINTS; i++) re[i] = uniform(), im[i] = 0;
  for (int size = POINTS; size > 1; size /= 2)
    for (int start = 0; start < POINTS; start += size)
      for (int k = 0; k < size / 2; k++) {
        double x = re[start + k], y = im[start + k], s = re[start + k + size / 2], t = im[start + k + size / 2];
        double w = -2 * M_PI * k / size, cw = cos(w), sw = sin(w);
        re[start + k] = x + s, im[start + k] = y + t;
        re[start + k + size / 2] = (x - s) * cw - (y - t) * sw;
        im[start + k + size / 2] = (x - s) * sw + (y - t) * cw;
      }
  double sum = 0;
  for (int i = 0; i < POINTS; i++) sum += re[i] * (i + 1) - im[i] / (i + 3);
  printf("fft %.17g %016llx\n", sum, bits(sum));
}

static void text(void) {
  static const char *numbers[] = {"0.1", "1e22", "9007199254740993", "4.9e-324", "1.7976931348623157e308", "1e400",
                                  "-2.2250738585072011e-308", "0x1.8p3", "nan", "123456789.123456789"};
  for (unsigned i = 0; i < sizeof numbers / sizeof *numbers; i++) {
    double x = strtod(numbers[i], 0);
    printf("%s: %.17g %.3f %e %a %g %d\n", numbers[i], x, fabs(x) < 1e30 ? x : 0.0, x, x, (float)x, x > 0.5);
  }
  for (int i = 0; i < 40; i++) {
    double x = (uniform() - 0.5) * pow(10, (int)(uniform() * 60) - 30);
    char line[64];
    snprintf(line, sizeof line, "%.17g", x);
    printf("%s %.6Lf %d\n", line, (long double)x, strtod(line, 0) == x);
  }
}

static void library(void) {
  double sum = 0;
  for (int i = 1; i < 200; i++) {
    double x = i * 0.37 - 20;
    sum += sin(x) + cos(x) * exp(x / 9) + log(i) - atan(x) + pow(i, 0.3) + fmod(x, 1.7) + cbrt(x);
    sum += tanh(x) + hypot(x, i);
    sum += floor(x) * 0.5 - ceil(x) + rint(x * 1.5) + (double)(float)x + (long long)(x * 1e9) * 1e-9 + (unsigned)i;
  }
  printf("library %.17g %016llx\n", sum, bits(sum));
}

static void roundings(void) {
#ifndef __FAST_MATH__
  static const int modes[] = {FE_TONEAREST, FE_DOWNWARD, FE_UPWARD, FE_TOWARDZERO};
  volatile double one = 1, three = 3, tiny = 1e-310, big = 1e308;
  for (int i = 0; i < 4; i++) {
    fesetround(modes[i]);
    volatile double q = one / three, t = tiny * one, s = sqrt(three), o = -big * 10;
    volatile float f = (float)(one / three);
    printf("mode %d: %016llx %016llx %016llx %016llx %a %ld\n", i, bits(q), bits(t / three), bits(s), bits(o), f,
           lrint(-2.5));
    feclearexcept(FE_ALL_EXCEPT);
    q = tiny / three;
    printf("flags %x", fetestexcept(FE_ALL_EXCEPT));
    q = one / (three - three);
    printf(" %x", fetestexcept(FE_ALL_EXCEPT));
    q = sqrt(-one);
    printf(" %x\n", fetestexcept(FE_ALL_EXCEPT));
  }
  fesetround(FE_TONEAREST);
#endif
}

int main(void) {
  planets(400);
  matrix();
  fft();
  text();
  library();
  roundings();
  double *list = malloc(1000 * sizeof *list), sum = 0;
  for (int i = 0; i < 1000; i++) list[i] = uniform() * 2e-308 * i;
  for (int i = 0; i < 1000; i++) sum += list[i];
  printf("denormals %.17g\n", sum);
  free(list);
  return 0;
}
