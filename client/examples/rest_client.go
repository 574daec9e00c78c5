// Send an image or a PDF to the gateway, print what it found, and save its pictures beside the file.
//
//	go run rest_client.go ocr|seal-recognition|human-keypoint-detection FILE [URL]
//
// The standard library alone. The environment variable PADDLEX_TRITON_API_KEY holds the key of a server that wants one.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

type Found struct {
	Texts  []string  `json:"rec_texts"`
	Scores []float64 `json:"rec_scores"`
}

// Names in JSON fit whatever their case. Pictures are base64 there, which []byte reads and writes.
type Page struct {
	PrunedResult struct {
		Found
		Seals []Found `json:"seal_res_list"`
	}
	OCRImage     []byte
	OutputImages map[string][]byte
}

type Answer struct {
	LogID, ErrorMsg string
	ErrorCode       int
	Result          struct {
		OCRResults, SealRecResults []Page
		Persons                    []struct{ DetScore, KptScore float64 }
		Image                      []byte
	}
}

func main() {
	pipelines := map[string]bool{"ocr": true, "seal-recognition": true, "human-keypoint-detection": true}
	if len(os.Args) < 3 || len(os.Args) > 4 || !pipelines[os.Args[1]] {
		fmt.Fprintln(os.Stderr, "usage: rest_client ocr|seal-recognition|human-keypoint-detection FILE [URL]")
		os.Exit(2)
	}
	pipeline, file, server := os.Args[1], os.Args[2], append(os.Args, "http://127.0.0.1:8080")[3]
	content, err := os.ReadFile(file)
	check(err)
	extension := filepath.Ext(file)
	body := map[string]any{"file": content, "fileType": 1}
	if pipeline == "human-keypoint-detection" {
		body = map[string]any{"image": content}
	} else if strings.EqualFold(extension, ".pdf") {
		body["fileType"] = 0
	}
	result := ask(server+"/"+pipeline, body).Result

	stem := strings.TrimSuffix(file, extension)
	for _, person := range result.Persons {
		fmt.Printf("person %.3f, keypoints %.3f\n", person.DetScore, person.KptScore)
	}
	save(stem, "image", result.Image)
	pages := append(result.OCRResults, result.SealRecResults...)
	for number, page := range pages {
		pageStem := stem
		if len(pages) > 1 {
			fmt.Println("page", number)
			pageStem += "_" + strconv.Itoa(number)
		}
		// A page of seals has the result of each seal, and none of its own.
		for _, found := range append(page.PrunedResult.Seals, page.PrunedResult.Found) {
			for index, text := range found.Texts {
				fmt.Printf("%.3f %s\n", found.Scores[index], text)
			}
		}
		save(pageStem, "ocrImage", page.OCRImage)
		for key, picture := range page.OutputImages {
			save(pageStem, key, picture)
		}
	}
}

// ask returns the server's answer; a server that is busy is asked once more, when it says.
func ask(url string, body any) (answer Answer) {
	sent, err := json.Marshal(body)
	check(err)
	response := post(url, sent)
	if response.StatusCode == http.StatusServiceUnavailable {
		response.Body.Close()
		wait, err := time.ParseDuration(response.Header.Get("Retry-After") + "s")
		if err != nil {
			wait = time.Second
		}
		time.Sleep(wait)
		response = post(url, sent)
	}
	defer response.Body.Close()
	check(json.NewDecoder(response.Body).Decode(&answer))
	if response.StatusCode != http.StatusOK || answer.ErrorCode != 0 {
		check(fmt.Errorf("error %d: %s (logId %s)", answer.ErrorCode, answer.ErrorMsg, answer.LogID))
	}
	return answer
}

func post(url string, body []byte) *http.Response {
	request, err := http.NewRequest(http.MethodPost, url, bytes.NewReader(body))
	check(err)
	request.Header.Set("Content-Type", "application/json")
	if key := os.Getenv("PADDLEX_TRITON_API_KEY"); key != "" {
		request.Header.Set("Authorization", "Bearer "+key)
	}
	client := http.Client{Timeout: 5 * time.Minute}
	response, err := client.Do(request)
	check(err)
	return response
}

// save writes a picture; there is none if the server does not draw.
func save(stem, key string, picture []byte) {
	if len(picture) > 0 {
		check(os.WriteFile(stem+"_"+key+".jpg", picture, 0o644))
	}
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
